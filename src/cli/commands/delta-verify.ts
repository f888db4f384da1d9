import { chosenStore } from "../../settings/backup-location.js";
import { passphraseSettings, spoolSettings } from "../../settings/declarations.js";
import { toggle } from "../../settings/kinds.js";
import { spoolDir } from "../../settings/new-backup.js";
import { secondaryStoreSettings, storeSettings } from "../../settings/store-declarations.js";
import { storeConfig } from "../../snapstore/settings/store-settings.js";
import { command } from "../command.js";
import { ExitCode } from "../exit-codes.js";

export const deltaVerify = command({
  groups: {
    "What to check": {
      prove: {
        ...toggle,
        describe:
          "Compare each raw snapshot with the one before it and the deltas between (default: on; --no-prove)",
      },
      ...spoolSettings,
    },
    "Primary store": storeSettings,
    "Secondary store": secondaryStoreSettings,
    Passphrase: passphraseSettings,
  },
  examples: [
    [
      "$0 delta verify --store s3://bucket/prefix --secondary-store azblob://container/prefix",
      "all deltas at both sites",
    ],
    ["$0 delta verify --store s3://bucket/prefix --no-prove", "without reading raw snapshots"],
  ],
  async run(args, session) {
    const { verifyHistory } = await import("../../operations/history/delta-verify.js");
    const { lost, damaged, different } = await verifyHistory(
      {
        primary: chosenStore({ ...args, from: "primary" }, session),
        secondary: storeConfig(args, "secondary", session.env, session.warn),
        prove: args.prove ?? true,
        spoolDir: spoolDir(args),
      },
      session,
    );
    if (lost > 0) return ExitCode.incomplete;
    return damaged + different > 0 ? ExitCode.damaged : ExitCode.done;
  },
});
