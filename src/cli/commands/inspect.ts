import { backupLocation } from "../../settings/backup-location.js";
import { passphraseSettings } from "../../settings/declarations.js";
import { toggle } from "../../settings/kinds.js";
import { command } from "../command.js";
import { ExitCode } from "../exit-codes.js";
import { locationGroups } from "../flag-groups.js";

export const inspect = command({
  groups: {
    ...locationGroups,
    "What to check": { quick: { ...toggle, describe: "Read METADATA.bin and INDEX.bin only" } },
    Passphrase: passphraseSettings,
  },
  examples: [
    ["$0 inspect --outputdir my_backup", "check every byte"],
    [
      "$0 inspect --outputdir my_backup --quick",
      "what it holds, without reading the archive files",
    ],
  ],
  async run(args, session) {
    const { inspectBackup } = await import("../../operations/inspect/inspect.js");
    const { complete } = await inspectBackup(
      { location: backupLocation(args, session), quick: args.quick === true },
      session,
    );
    return complete ? ExitCode.done : ExitCode.incomplete;
  },
});
