import { BackupToolError, InterruptedError, NotLeaderError } from "../../errors.js";
import { manifestKey } from "../../snapshots/manifest.js";
import { StoreError } from "../../snapstore/errors.js";
import type { FailingStore } from "./failing-store.js";
import { SyncError, type SyncSide } from "./sync-error.js";

/** So many snapshots in a row that one store fails to copy end the sync. */
const MAX_FAILURES_IN_A_ROW = 5;

/** A failure that says nothing about other snapshots. */
const OF_ONE_SNAPSHOT: ReadonlySet<string> = new Set([
  "STORE_IMMUTABLE",
  "STORE_EXISTS",
  "STORE_NOT_FOUND",
]);
/** What a copy finds when the snapshot, or its base with it, is deleted meanwhile. */
const AFTER_DELETION: ReadonlySet<string> = new Set([
  "STORE_NOT_FOUND",
  "UNFINISHED_BACKUP",
  "NO_BASE",
]);

/**
 * Decides what the failed copy of a snapshot means: only this one fails, or a store does. Waiting for a store that is
 * down once for each of a thousand snapshots would take days.
 */
export class CopyFailures {
  readonly #stores: Readonly<Record<SyncSide, FailingStore>>;
  readonly #inARow = { source: 0, target: 0 };

  constructor(stores: Readonly<Record<SyncSide, FailingStore>>) {
    this.#stores = stores;
  }

  /** A snapshot was copied. */
  succeeded(): void {
    this.#inARow.source = 0;
    this.#inARow.target = 0;
  }

  /** The store whose call threw this error. */
  sideOf(error: unknown): SyncSide | undefined {
    if (this.#stores.source.hasThrown(error)) return "source";
    return this.#stores.target.hasThrown(error) ? "target" : undefined;
  }

  /** Whether the source has no such snapshot any more. Throws SyncError. */
  async isGone(snapshot: string, error: BackupToolError, signal: AbortSignal): Promise<boolean> {
    if (!AFTER_DELETION.has(error.code)) return false;
    return !(await this.#hasManifest("source", snapshot, signal));
  }

  /** Throws SyncError if the store fails as a whole, and NOT_LEADER. */
  async check(snapshot: string, error: BackupToolError, signal: AbortSignal): Promise<void> {
    // The process has lost its right to write.
    if (error instanceof NotLeaderError) throw error;
    const side = this.sideOf(error);
    if (side === undefined || OF_ONE_SNAPSHOT.has(error.code)) return;
    // A single object that cannot be read looks like this too, and would end each sync.
    if (error instanceof StoreError && error.retryable) this.#inARow[side]++;
    const failed = error.code === "STORE_FULL" || this.#inARow[side] >= MAX_FAILURES_IN_A_ROW;
    if (failed) throw new SyncError(side, this.#stores[side].name, error);
    await this.#hasManifest(side, snapshot, signal);
  }

  async #hasManifest(side: SyncSide, snapshot: string, signal: AbortSignal): Promise<boolean> {
    const store = this.#stores[side];
    return await orSyncError(side, store.name, async () => {
      return (await store.head(manifestKey(snapshot), signal)) !== undefined;
    });
  }
}

/** Resolves with `work`, or throws SyncError for a failure other than an interruption. */
export async function orSyncError<T>(
  side: SyncSide,
  store: string,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof InterruptedError || !(error instanceof BackupToolError)) throw error;
    throw new SyncError(side, store, error);
  }
}
