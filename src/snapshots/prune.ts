import { BackupToolError } from "../errors.js";
import { StoreError } from "../snapstore/errors.js";
import type { SnapStore } from "../snapstore/store.js";
import { deleteSnapshot, type Removed } from "./delete.js";
import { IGNORE_AFTER_MS } from "./control/lifetime.js";
import { pinnedNames } from "./control/pins.js";
import { readStoreTime } from "./control/store-time.js";
import { removeStaleFiles } from "./control/stale.js";
import { isOwnKey } from "./own-keys.js";
import { manifestKey } from "./manifest.js";
import { outlineStore, type StoreOutline } from "./list-store.js";
import type { SnapshotName } from "./name.js";
import type { LeftOver, StoredSnapshot } from "./catalog.js";
import { deleteStream } from "./streams/delete-stream.js";
import type { StreamOutline } from "./streams/stream-outline.js";
import type { StreamName } from "./streams/stream-name.js";

export interface PruneOptions {
  /**
   * Snapshots that were written to since then are kept. By the clock of this machine; what it is ahead of the store's is
   * taken off.
   */
  readonly olderThan: Date;
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
  /** What is in the store; by default each manifest is read. */
  readonly list?: ((signal: AbortSignal) => Promise<StoreOutline>) | undefined;
  /** Called with all snapshots, before any is removed. */
  onListed?(listed: readonly StoredSnapshot[]): Promise<void>;
  onRemoved(name: SnapshotName | StreamName, removed: Removed): void;
  /** Called for an unfinished snapshot or stream that a run may still be writing. */
  onKept(name: SnapshotName | StreamName): void;
  /** Called for an old unfinished one that is kept: it is held, or another program has a file in it. */
  onProtected(name: SnapshotName | StreamName, error: BackupToolError): void;
}

const PROTECTED: ReadonlySet<string> = new Set(["FOREIGN_FILE", "SNAPSHOT_HELD"]);

/**
 * Removes unfinished snapshots, streams that hold nothing but an unfinished base, stale uploads and control files of dead
 * processes. Returns the number of uploads. Beside deltas an unfinished base stays, for a copy to complete it.
 */
export async function pruneIncomplete(store: SnapStore, options: PruneOptions): Promise<number> {
  const { dryRun, signal } = options;
  const keep: string[] = [];
  const { snapshots, streams } = await (options.list?.(signal) ?? outlineStore(store, signal));
  const unfinished = [
    ...snapshots
      .filter(({ state }) => state === "unfinished")
      .map(({ name, left }) => ({ name, left, remove: deleteSnapshot })),
    ...streams.filter(isUnfinished).map(({ name, left }) => {
      const remove: typeof deleteSnapshot = (guarded, _, how) => deleteStream(guarded, name, how);
      return { name, left, remove };
    }),
  ];
  const { now, olderThan } = await timesOf(store, unfinished, options);
  await options.onListed?.(snapshots);
  for (const one of unfinished) {
    const { name } = one;
    if (
      lastTouched(one, now) >= olderThan.getTime() ||
      // A copy goes on with files that are as old as the copy before.
      (await pinnedNames(store, new Date(now), signal)).has(name.text)
    ) {
      options.onKept(name);
      // Some uploads take as long as the run: INDEX.bin is written from the first object to the last.
      keep.push(`${name.text}/`);
      continue;
    }
    // It may have been completed since it was listed.
    if ((await store.head(manifestKey(name.text), signal)) !== undefined) continue;
    const removed = await unlessProtected(one.remove(store, name.text, { dryRun, signal }));
    if (removed instanceof BackupToolError) {
      options.onProtected(name, removed);
      keep.push(`${name.text}/`);
    } else options.onRemoved(name, removed);
  }
  if (dryRun) return 0;
  // Files of others are a day old before they are ignored, and the clocks may differ.
  await removeStaleFiles(store, new Date(now - IGNORE_AFTER_MS), signal);
  return await store.abortStaleUploads("", olderThan, { keep, only: isOwnKey, signal });
}

/** What an interrupted run has left of a snapshot or stream. */
interface LeftOvers {
  readonly name: { readonly time: number };
  readonly left?: LeftOver | undefined;
}

/** Whether a stream has no delta, and no base that is complete or damaged. */
function isUnfinished({ deltas, base }: StreamOutline): boolean {
  return deltas.length === 0 && (base === undefined || base.state === "unfinished");
}

/** A dry run writes nothing, so it goes by the clock of this machine. */
async function timesOf(
  store: SnapStore,
  listed: readonly LeftOvers[],
  { olderThan, dryRun, signal }: PruneOptions,
): Promise<{ now: number; olderThan: Date }> {
  const machine = Date.now();
  const now = dryRun ? machine : Math.min(machine, await storeTime(store, listed, signal));
  return { now, olderThan: new Date(olderThan.getTime() - (machine - now)) };
}

/**
 * Milliseconds since 1970. In a store that is full, and has no reserve, the last write of what is left over: earlier
 * than now, so rather too much is kept.
 */
async function storeTime(
  store: SnapStore,
  listed: readonly LeftOvers[],
  signal: AbortSignal,
): Promise<number> {
  try {
    return (await readStoreTime(store, signal)).getTime();
  } catch (error) {
    if (!(error instanceof StoreError && error.code === "STORE_FULL")) throw error;
    return Math.max(0, ...listed.map(({ left }) => left?.modified?.getTime() ?? 0));
  }
}

async function unlessProtected(deletion: Promise<Removed>): Promise<Removed | BackupToolError> {
  try {
    return await deletion;
  } catch (error) {
    if (error instanceof BackupToolError && PROTECTED.has(error.code)) return error;
    throw error;
  }
}

/** When an unfinished snapshot was last written to, milliseconds since 1970. */
export function lastTouched({ name, left }: LeftOvers, now: number): number {
  const named = name.time * 1000;
  // A time in the future comes from a wrong clock, and would keep the snapshot until then.
  return Math.max(named > now ? 0 : named, left?.modified?.getTime() ?? 0);
}
