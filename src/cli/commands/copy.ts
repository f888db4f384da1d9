import { InterruptedError, UsageError, withHint } from "../../errors.js";
import type { StoreConfig } from "../../snapstore/config.js";
import { parseAge } from "../output/ages.js";
import { command } from "../command.js";
import { parseDuration } from "../input/durations.js";
import { ExitCode } from "../exit-codes.js";
import { text } from "../flags.js";
import {
  secondaryStoreFlags,
  secondaryUploadFlags,
  sourceStoreFlags,
  storeFlags,
  uploadFlags,
} from "../store-flags.js";
import type { Session } from "../session.js";
import type { StoreRole } from "../../snapstore/settings/roles.js";
import { requiredStore, storeConfig } from "../../snapstore/settings/store-settings.js";
import { uploadSettings, wholeNumber } from "../input/upload-settings.js";

export const copy = command({
  groups: {
    "What to copy": {
      "max-backups-to-copy": {
        ...text,
        default: "-1",
        describe:
          "Newest backups to copy, -1 for all; a full one counts once with its incrementals",
      },
      "max-backup-age": {
        ...text,
        default: "-1",
        describe: "Copy nothing older: days, or a time such as 36h; -1 is no limit",
      },
    },
    "Primary store": { ...storeFlags, ...uploadFlags },
    "Secondary store": { ...secondaryStoreFlags, ...secondaryUploadFlags },
    "Source store": sourceStoreFlags,
    "Parallel copies and retries": {
      "max-parallel-copy-operations": {
        ...text,
        default: "10",
        describe: "Files to copy at the same time",
      },
      "backup-sync-max-retries": {
        ...text,
        default: "5",
        describe: "Retries of a file that could not be copied",
      },
      "backup-sync-retry-backoff": {
        ...text,
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
    const { minChunkBytes, maxParallelChunks } = uploadSettings(args, targetRole);
    const count = wholeNumber("max-backups-to-copy", args["max-backups-to-copy"], -1, 1e9);
    if (count === 0) throw new UsageError("--max-backups-to-copy 0 leaves nothing to do");
    const age = args["max-backup-age"];
    const failed = await copySnapshots(
      {
        source,
        target,
        limits: {
          maxBackups: count === -1 ? undefined : count,
          since: age === "-1" ? undefined : new Date(Date.now() - parseAge("max-backup-age", age)),
        },
        maxParallelCopies: wholeNumber(
          "max-parallel-copy-operations",
          args["max-parallel-copy-operations"],
          1,
          100,
        ),
        minChunkBytes,
        maxParallelChunks,
        retries: {
          maxRetries: wholeNumber(
            "backup-sync-max-retries",
            args["backup-sync-max-retries"],
            0,
            1000,
          ),
          backoffMs: parseDuration("backup-sync-retry-backoff", args["backup-sync-retry-backoff"]),
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
  args: object,
  { terminal: { env }, warn }: Session,
): { source: StoreConfig; target: StoreConfig; targetRole: StoreRole } {
  const primary = requiredStore(args, "primary", env, warn);
  const source = storeConfig(args, "source", env, warn);
  if (source === undefined) {
    const target = requiredStore(args, "secondary", env, warn);
    return { source: primary, target, targetRole: "secondary" };
  }
  if (storeConfig(args, "secondary", env) !== undefined) {
    throw new UsageError("copy has a source and a secondary store, and goes to one store alone", {
      hint: "copy into the primary store first, then from there into the secondary",
    });
  }
  return { source, target: primary, targetRole: "primary" };
}
