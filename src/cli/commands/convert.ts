import { UsageError } from "../../errors.js";
import { DEFAULT_FOLDER } from "../../settings/backup-location.js";
import {
  folderSettings,
  newPassphraseSettings,
  passphraseSettings,
  sealSettings,
} from "../../settings/declarations.js";
import { text } from "../../settings/kinds.js";
import { sealOptions } from "../../settings/new-backup.js";
import { command } from "../command.js";
import { ExitCode } from "../exit-codes.js";
import { adviseOnUnfinished } from "../output/unfinished.js";

export const convert = command({
  groups: {
    "What to convert, and where to": {
      ...folderSettings,
      to: { ...text, describe: "Folder of the new backup" },
      "incremental-over": {
        ...text,
        describe: "Base of an incremental: a folder converted before",
      },
    },
    "Archive files": sealSettings,
    Passphrase: { ...passphraseSettings, ...newPassphraseSettings },
  },
  examples: [
    ["$0 convert --outputdir old_full --to new_full", "a full archive"],
    [
      "$0 convert --outputdir old_incremental --to new_incremental --incremental-over new_full",
      "an incremental after it",
    ],
  ],
  async run(args, session) {
    const { convertBackup } = await import("../../operations/convert/convert.js");
    const { to } = args;
    if (to === undefined) throw new UsageError("--to is required: the folder of the new backup");
    const { newPassphrase } = session;
    const { complete } = await adviseOnUnfinished(to, session, (context) =>
      convertBackup(
        {
          outputDir: args.outputdir ?? DEFAULT_FOLDER,
          to,
          incrementalOver: args["incremental-over"],
          ...sealOptions(args),
          toolVersion: session.toolVersion,
        },
        { ...context, newPassphrase },
      ),
    );
    return complete ? ExitCode.done : ExitCode.incomplete;
  },
});
