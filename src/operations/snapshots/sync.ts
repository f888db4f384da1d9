import type { BackupToolError } from "../../errors.js";
import type { RetrySettings } from "../../replication/copy/retries.js";
import type { MirrorRefusal, MirrorRules } from "../../replication/sync/mirror-plan.js";
import { StoreSync } from "../../replication/sync/store-sync.js";
import type {
  SyncReports,
  SyncSettings,
  SyncSite,
  SyncTotals,
} from "../../replication/sync/sync-run.js";
import { SyncError } from "../../replication/sync/sync-error.js";
import { heldNames } from "../../snapshots/holds.js";
import { snapshotKey } from "../../snapshots/name.js";
import type { SnapStore } from "../../snapstore/store.js";
import type { StoreContext } from "../context.js";
import { PinnedBase } from "../create/pinned-base.js";
import { newestComplete, SeenSnapshots } from "../open/seen-snapshots.js";
import { deleteMirrored } from "./mirror-deletion.js";

export interface SecondarySyncOptions {
  /** Files in flight. */
  readonly concurrentCopies: number;
  readonly minChunkBytes: number;
  readonly maxParallelChunks: number;
  readonly retries: RetrySettings;
  /** Prefix of the primary, for the keys of snapshots. */
  readonly directory: string;
  /** Names of the snapshots that the secondary's own retention would keep of a listing. By default all. */
  readonly wanted?: SyncSettings["wanted"];
  /** Delete from the secondary what has gone from the primary. By default each has its own retention. */
  readonly mirror?: MirrorRules | undefined;
  /** Between the plan of a mirror and its deletions, ms: as for `deletePlanned`. */
  readonly deletionWaitMs?: number | undefined;
}

/**
 * Keeps a secondary store in step with the primary while a server has both stores open. Both must retry their calls by
 * `copyRetryPolicy`.
 */
export class SecondarySync {
  readonly #primary: SyncSite;
  readonly #secondary: SyncSite;
  readonly #sync: StoreSync;

  constructor(primary: SyncSite, secondary: SyncSite) {
    this.#primary = primary;
    this.#secondary = secondary;
    this.#sync = new StoreSync(primary, secondary);
  }

  /** One run at a time. Throws as {@link StoreSync.run}: a SyncError says which store failed. */
  async run(options: SecondarySyncOptions, context: StoreContext): Promise<SyncTotals> {
    const { signal, report } = context;
    const stores = { source: this.#primary.store.name, target: this.#secondary.store.name };
    const seen = new SeenSnapshots(context);
    report({ type: "sync-begun", ...stores });
    try {
      const totals = await this.#sync.run(
        {
          maxParallelCopies: options.concurrentCopies,
          minChunkBytes: options.minChunkBytes,
          maxParallelChunks: options.maxParallelChunks,
          retries: options.retries,
          wanted: options.wanted,
          keepBase: (store, base, copy) => keepBase(store, base, copy, signal),
          held: (during) => heldNames(this.#secondary.store, during),
          mirror: options.mirror && {
            rules: options.mirror,
            remove: deleteMirrored(this.#secondary, {
              seen,
              signal,
              guard: context.guard,
              waitMs: options.deletionWaitMs ?? 0,
            }),
          },
          signal,
        },
        this.#reports(options, context, seen),
      );
      report({ type: "sync-done", ...stores, ...totals });
      return totals;
    } catch (error) {
      if (error instanceof SyncError) {
        const { side, store, code, lag } = error;
        const failure = { side, store, code, reason: reasonOf(error), ...(lag && { lag }) };
        report({ type: "sync-failed", ...stores, ...failure });
      }
      throw error;
    }
  }

  #reports(
    { directory }: SecondarySyncOptions,
    { report }: StoreContext,
    seen: SeenSnapshots,
  ): SyncReports {
    const { store: primary } = this.#primary;
    const { store: secondary } = this.#secondary;
    const stores = { source: primary.name, target: secondary.name };
    const place = { store: secondary.name };
    return {
      onListed: async (ofPrimary, ofSecondary) => {
        await seen.check(primary, newestComplete(ofPrimary));
        await seen.check(secondary, newestComplete(ofSecondary));
      },
      onPlanned: ({ copy, streams, conflicts, blocked, unwanted }, mirror, lag) => {
        const deletes = mirror === undefined || mirror.refusal !== undefined ? [] : [mirror];
        report({
          type: "sync-plan",
          ...stores,
          copy: copy.length,
          bytes: copy.reduce((sum, { facts }) => sum + (facts?.bytes ?? 0), 0),
          streams: streams.length,
          delete: deletes.reduce((n, { due, dueStreams }) => n + due.length + dueStreams.length, 0),
          waiting: mirror?.kept.filter(({ reason }) => reason === "grace").length ?? 0,
          unwanted: unwanted.length,
          conflicts: conflicts.length + blocked.length,
          lag,
        });
      },
      onBegin: ({ name, facts }) => {
        const { files = 0, bytes = 0 } = facts ?? {};
        const key = snapshotKey(directory, name);
        report({ type: "snapshot-copying", ...stores, snapshot: name.text, key, files, bytes });
      },
      onProgress: (done, total) =>
        report({ type: "progress", phase: "copy", done, total, unit: "bytes" }),
      onCopied: (snapshot, result) => report({ type: "snapshot-copied", snapshot, ...result }),
      onNotCopied: (snapshot, error, side) => {
        const failure = { code: error.code, reason: reasonOf(error), ...(side && { side }) };
        report({ type: "snapshot-not-copied", snapshot, ...failure });
      },
      onRefused: (refusal, counts) => {
        const reason = REFUSALS[refusal](counts);
        report({ type: "mirror-refused", ...place, refusal, reason, ...counts });
      },
      onDeleted: ({ text: snapshot }, removed) =>
        report({ type: "snapshot-deleted", snapshot, ...place, ...removed, dryRun: false }),
      onNotDeleted: (name, error) => {
        const failure = { ...place, code: error.code, reason: reasonOf(error) };
        if (name === undefined) report({ type: "mirror-failed", ...failure });
        else report({ type: "snapshot-not-deleted", snapshot: name.text, ...failure });
      },
    };
  }
}

/** Throws NO_BASE if the base is gone, or about to be deleted. */
async function keepBase(
  store: SnapStore,
  base: string,
  copy: Parameters<SyncSettings["keepBase"]>[2],
  signal: AbortSignal,
): ReturnType<SyncSettings["keepBase"]> {
  const pinned = await PinnedBase.pin(store, base, signal);
  try {
    // What that is based on itself is deleted after it.
    await pinned.checkChain([], signal);
    const result = await copy(() => pinned.checkBeforeManifest(signal));
    pinned.complete();
    return result;
  } finally {
    await pinned.release();
  }
}

function reasonOf({ message, hint }: BackupToolError): string {
  return hint === undefined ? message : `${message}; ${hint}`;
}

/** Why nothing is deleted from the secondary. */
const REFUSALS: Readonly<
  Record<MirrorRefusal, (counts: { readonly due: number; readonly complete: number }) => string>
> = {
  "source-empty": () => "the primary shows no complete snapshot",
  "newest-chain": () =>
    "the primary has lost the newest snapshot that the secondary could restore then",
  "too-many": ({ due, complete }) =>
    `${due} of its ${complete} complete snapshots have gone from the primary together, more than a mirror may delete at once`,
};
