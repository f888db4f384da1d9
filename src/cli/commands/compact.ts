import { UsageError } from "../../errors.js";
import { passphraseSettings, sealSettings, spoolSettings } from "../../settings/declarations.js";
import {
  etcdFileSettings,
  historyTarget,
  targetSettings,
  unknownLeaseTtl,
} from "../../settings/history.js";
import { sealOptions, spoolDir, storeDestination } from "../../settings/new-backup.js";
import {
  secondaryStoreSettings,
  secondaryUploadSettings,
  storeSettings,
  uploadSettings,
} from "../../settings/store-declarations.js";
import { command } from "../command.js";
import { ExitCode } from "../exit-codes.js";

const { "unknown-lease-ttl": unknownLease } = etcdFileSettings;

export const compact = command({
  groups: {
    "What to merge": {
      ...targetSettings,
      "unknown-lease-ttl": unknownLease,
      ...spoolSettings,
    },
    "Primary store": { ...storeSettings, ...uploadSettings },
    "Secondary store": { ...secondaryStoreSettings, ...secondaryUploadSettings },
    "Archive files": sealSettings,
    Passphrase: passphraseSettings,
  },
  examples: [
    [
      "$0 compact --store s3://bucket/prefix",
      "the newest raw snapshot and its deltas, as a full backup",
    ],
  ],
  async run(args, session) {
    const { compactHistory } = await import("../../operations/history/compact.js");
    const store = storeDestination(args, "primary", session);
    const secondaryStore = storeDestination(args, "secondary", session);
    if (store === undefined) {
      throw new UsageError("there is no primary store", {
        hint: "name the one with the deltas",
        settings: ["store"],
      });
    }
    const stores = [store, secondaryStore].flatMap((one) =>
      one === undefined ? [] : [one.config],
    );
    const { complete } = await compactHistory(
      {
        location: { kind: "snapshot", stores, snapshot: "latest" },
        spoolDir: spoolDir(args),
        target: historyTarget(args) ?? { kind: "newest" },
        unknownLeaseTtlSeconds: unknownLeaseTtl(args),
        store,
        secondaryStore,
        ...sealOptions(args),
        toolVersion: session.toolVersion,
      },
      session,
    );
    return complete ? ExitCode.done : ExitCode.incomplete;
  },
});
