import { inParallel } from "../../flow/in-parallel.js";
import { StoreError } from "../../snapstore/errors.js";
import type { SnapStore } from "../../snapstore/store.js";
import type { Removed } from "../delete.js";
import { checkNoForeign, ownObjects } from "../foreign-files.js";
import { checkNotHeld } from "../holds.js";
import { checkUnlocked } from "../locks.js";
import { manifestKey } from "../manifest.js";
import { deleteBatch } from "./delete-batch.js";
import { deltaName } from "./delta-name.js";
import type { DeltaTable } from "./delta-table.js";
import { listStream } from "./list-streams.js";
import type { StreamName } from "./stream-name.js";

/** Files of the base that are deleted at the same time. */
const WINDOW = 8;
/** So many deltas are deleted after one check, and all of them before the next one. */
export const DELETED_TOGETHER = 128;
/** Most deltas are in the first listing. */
const MAX_LISTINGS = 1000;

/**
 * Deletes a stream. Before the first deletion it throws SNAPSHOT_HELD, FOREIGN_FILE if another program has a file in the
 * folder, STORE_IMMUTABLE if a file is locked.
 *
 * Deltas go in batches, the newest first, and the base after the last delta, its manifest first. A batch begins when the
 * one before it is gone. So between two batches, and after a deletion that failed or was interrupted, the folder holds what it
 * also held while the stream grew: a base, and deltas from number 0 on without a gap; whoever reads, copies or continues the
 * log sees one that ends earlier. That is noticed: the next stream begins with a later revision. Within a batch, and where the
 * process dies in one, some of its deltas may also be there after a gap. They are no part of the log for any reader: each
 * compares numbers and revisions, and goes on over a gap only with a later base.
 *
 * With the base first, deltas would remain that nothing can be made of, and a base without a manifest beside deltas that look
 * whole. Without batches, one call that hangs would leave a delta after a gap of any length.
 */
export async function deleteStream(
  store: SnapStore,
  name: StreamName,
  options: {
    readonly dryRun: boolean;
    readonly signal: AbortSignal;
    /** Asked before each batch of deltas, and before the base goes; throws to leave the rest. */
    readonly check?: () => Promise<void>;
  },
): Promise<Removed> {
  const { dryRun, signal, check = async () => {} } = options;
  const { text } = name;
  await checkNotHeld(store, text, signal);
  await checkNoForeign(store, text, signal);
  const removed = await checkUnlocked(store, text, signal);
  if (dryRun) return removed;
  await deleteDeltas(store, name, check, signal);
  await check();
  await store.delete(manifestKey(text), signal);
  await inParallel(ownObjects(store, text, signal), WINDOW, ({ key }) => store.delete(key, signal));
  return removed;
}

/** A folder with more deltas than a stream may have takes several listings. */
async function deleteDeltas(
  store: SnapStore,
  name: StreamName,
  check: () => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  for (let i = 0; i < MAX_LISTINGS; i++) {
    const deltas = (await listStream(store, name, false, signal))?.stream.deltas;
    if (deltas === undefined) return;
    for (let end = deltas.length; end > 0; end -= DELETED_TOGETHER) {
      await check();
      await deleteBatch(store, [...keysBefore(name, deltas, end)], signal);
    }
    if (!deltas.overflows) return;
  }
  const message = `${name.text} still lists deltas after ${MAX_LISTINGS} deletions of all of them`;
  throw new StoreError("STORE_FAILED", message, { store: store.name });
}

/** The keys of the batch of deltas that ends before a place, the newest first. */
function* keysBefore(
  name: StreamName,
  deltas: DeltaTable,
  end: number,
): Generator<string, void, void> {
  for (let at = end - 1; at >= Math.max(0, end - DELETED_TOGETHER); at--) {
    yield `${name.text}/${deltaName(deltas.at(at))}`;
  }
}
