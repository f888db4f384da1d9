import { BackupToolError, InterruptedError } from "../../errors.js";
import { SecondarySync } from "../../operations/snapshots/sync.js";
import { keptNames } from "../../operations/snapshots/retention.js";
import type { ServerOptions, SyncOptions } from "../../settings/server-options.js";
import type { Site } from "../site.js";
import type { Sites } from "../sites.js";
import type { JobOutcome } from "./job.js";
import type { JobContext } from "./runner.js";

/** Keeps the secondary store in step. It remembers since when a snapshot is gone from the primary. */
export class SyncJob {
  #sync: SecondarySync | undefined;
  #refusal: string | undefined;

  /** Why the last run that ended deleted nothing; undefined where it deletes. */
  get refusal(): string | undefined {
    return this.#refusal;
  }

  /** Throws SYNC_INCOMPLETE where some snapshots could not be copied or deleted; what a store that failed throws. */
  async run(
    { primary, secondary, stores }: Sites,
    sync: SyncOptions,
    { retention, leader }: ServerOptions,
    context: JobContext,
  ): Promise<JobOutcome> {
    const target = stores.secondary;
    if (secondary === undefined || target === undefined) throw new InterruptedError();
    this.#sync ??= new SecondarySync(siteOf(primary), siteOf(secondary));
    const secondarySync = this.#sync;
    const run = () =>
      secondarySync.run(
        {
          concurrentCopies: sync.concurrentCopies,
          minChunkBytes: target.minChunkBytes,
          maxParallelChunks: target.maxParallelChunks,
          retries: sync.retries,
          directory: primary.prefix,
          ...(sync.mirror === undefined
            ? {
                wanted: (snapshots, streams) =>
                  keptNames({ snapshots, streams }, retention, new Date()),
              }
            : {
                mirror: { ...sync.mirror, streamPeriodMs: retention.streamPeriodMs },
                deletionWaitMs: leader?.ttlMs ?? 0,
              }),
        },
        context,
      );
    const totals = await secondary.run(() => primary.run(run));
    this.#refusal = totals.refusal;
    if (totals.refusal !== undefined) {
      throw new BackupToolError(
        "MIRROR_REFUSED",
        "snapshots that have gone from the primary store stay in the secondary; the log says why",
        { hint: "copy them back, or delete them from the secondary" },
      );
    }
    const left = totals.failed + totals.conflicts + totals.notDeleted;
    if (left > 0) {
      throw new BackupToolError(
        "SYNC_INCOMPLETE",
        `${left} snapshots could not be copied to the secondary store, or deleted there; the log names them`,
      );
    }
    return {};
  }
}

function siteOf({ store, catalog }: Site) {
  return { store, catalog };
}
