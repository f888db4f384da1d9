import { InterruptedError, UsageError, withHint } from "../../errors.js";
import { age, duration, unlimited, wholeNumber } from "../../settings/kinds.js";
import { uploadOptions } from "../../settings/new-backup.js";
import {
  secondaryStoreSettings,
  secondaryUploadSettings,
  sourceStoreSettings,
  storeSettings,
  uploadSettings,
} from "../../settings/store-declarations.js";
import type { StoreConfig } from "../../snapstore/config.js";
import {
  requiredStore,
  type StoreSettings,
  storeConfig,
} from "../../snapstore/settings/store-settings.js";
import { command } from "../command.js";
import { ExitCode } from "../exit-codes.js";
import type { Session } from "../session.js";

export const copy = command({
  groups: {
    "What to copy": {
      "max-backups-to-copy": {
        ...unlimited(wholeNumber(1, 1e9)),
        default: "-1",
        describe:
          "Newest backups to copy, -1 for all; a full one counts once with its incrementals",
      },
      "max-backup-age": {
        ...unlimited(age),
        default: "-1",
        describe: "Copy nothing older: days, or a time such as 36h; -1 is no limit",
      },
    },
    "Primary store": { ...storeSettings, ...uploadSettings },
    "Secondary store": { ...secondaryStoreSettings, ...secondaryUploadSettings },
    "Source store": sourceStoreSettings,
    "Parallel copies and retries": {
      "max-parallel-copy-operations": {
        ...wholeNumber(1, 100),
        default: "10",
        describe: "Files to copy at the same time",
      },
      "backup-sync-max-retries": {
        ...wholeNumber(0, 1000),
        default: "5",
        describe: "Retries of a file that could not be copied",
      },
      "backup-sync-retry-backoff": {
        ...duration,
        default: "1s",
        describe: "Longest wait before the first retry; doubles with each",
      },
    },
  },
  examples: [
    [
      "$0 copy --store s3://bucket/prefix --secondary-store azblob://container/prefix",
      "from the primary store to the secondary",
    ],
    [
      "$0 copy --source-store file:///mnt/old --store s3://bucket/prefix --max-backup-age 15",
      "from any store to the primary, what is no older than 15 days",
    ],
  ],
  async run(args, session) {
    const { copySnapshots } = await import("../../operations/snapshots/copy.js");
    const { source, target, targetRole } = direction(args, session);
    const maxAge = args["max-backup-age"];
    const failed = await copySnapshots(
      {
        source,
        target,
        limits: {
          maxBackups: args["max-backups-to-copy"],
          since: maxAge === undefined ? undefined : new Date(Date.now() - maxAge),
        },
        maxParallelCopies: args["max-parallel-copy-operations"],
        ...uploadOptions(args, targetRole),
        retries: {
          maxRetries: args["backup-sync-max-retries"],
          backoffMs: args["backup-sync-retry-backoff"],
        },
      },
      session,
    ).catch((error: unknown) => {
      if (!(error instanceof InterruptedError)) throw error;
      throw withHint(error, {
        hint: "run the same copy again: it goes on where this one ended",
      });
    });
    return failed === 0 ? ExitCode.done : ExitCode.incomplete;
  },
});

/** From a source to the primary, as etcd-backup-restore copies; else from the primary to the secondary. */
function direction(
  args: StoreSettings,
  { env, warn }: Session,
): { source: StoreConfig; target: StoreConfig; targetRole: "primary" | "secondary" } {
  const primary = requiredStore(args, "primary", env, warn);
  const source = storeConfig(args, "source", env, warn);
  if (source === undefined) {
    const target = requiredStore(args, "secondary", env, warn);
    return { source: primary, target, targetRole: "secondary" };
  }
  if (storeConfig(args, "secondary", env) !== undefined) {
    throw new UsageError("copy cannot have both a source and a secondary store", {
      hint: "copy into the primary store first, then from there into the secondary",
    });
  }
  return { source, target: primary, targetRole: "primary" };
}
