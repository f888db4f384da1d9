import { inParallel } from "../../flow/in-parallel.js";
import { StoreError } from "../../snapstore/errors.js";
import type { SnapStore } from "../../snapstore/store.js";
import { checkUnlocked, type Removed } from "../delete.js";
import { checkNoForeign, ownObjects } from "../foreign-files.js";
import { checkNotHeld } from "../holds.js";
import { manifestKey } from "../manifest.js";
import { deltaName } from "./delta-name.js";
import { listStream } from "./list-streams.js";
import type { StreamName } from "./stream-name.js";

const WINDOW = 8;
/** So many deltas are deleted after one check. */
const CHECK_EVERY = 100;
/** Most deltas are in the first listing. */
const MAX_LISTINGS = 1000;

/**
 * Deletes a stream. Before the first deletion it throws SNAPSHOT_HELD, FOREIGN_FILE if another program has a file in the
 * folder, STORE_IMMUTABLE if a file is locked.
 *
 * Deltas go one after the other, the newest first, and the base after the last delta, its manifest first. So at each moment
 * the folder holds what it also held while the stream grew: a base, and deltas from number 0 on without a gap. Whoever
 * reads, copies or continues the log meanwhile, or after a deletion that was interrupted, sees a log that ends earlier.
 * In the other order deltas would remain whose base is gone, and a base without a manifest beside deltas that look whole; by
 * several calls at the same time, gaps. An end that is too early is noticed: the next stream begins with a later revision.
 */
export async function deleteStream(
  store: SnapStore,
  name: StreamName,
  options: {
    readonly dryRun: boolean;
    readonly signal: AbortSignal;
    /** Asked before the first deletion, after some deltas, and before the base goes; throws to leave the rest. */
    readonly check?: () => Promise<void>;
  },
): Promise<Removed> {
  const { dryRun, signal, check = async () => {} } = options;
  const { text } = name;
  await checkNotHeld(store, text, signal);
  await checkNoForeign(store, text, signal);
  let files = 0;
  let bytes = 0;
  await inParallel(ownObjects(store, text, signal), WINDOW, async (object) => {
    files++;
    bytes += object.size;
    checkUnlocked(store, await store.head(object.key, signal));
  });
  if (dryRun) return { files, bytes };
  await deleteDeltas(store, name, check, signal);
  await check();
  await store.delete(manifestKey(text), signal);
  await inParallel(ownObjects(store, text, signal), WINDOW, ({ key }) => store.delete(key, signal));
  return { files, bytes };
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
    for (let at = deltas.length - 1; at >= 0; at--) {
      if ((deltas.length - 1 - at) % CHECK_EVERY === 0) await check();
      await store.delete(`${name.text}/${deltaName(deltas.at(at))}`, signal);
    }
    if (!deltas.overflows) return;
  }
  const message = `${name.text} still lists deltas after ${MAX_LISTINGS} deletions of all of them`;
  throw new StoreError("STORE_FAILED", message, { store: store.name });
}
