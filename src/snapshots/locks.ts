import { setMaxListeners } from "node:events";
import { inParallel } from "../flow/in-parallel.js";
import { StoreError } from "../snapstore/errors.js";
import type { SnapStore, StoredObject } from "../snapstore/store.js";
import { ownObjects } from "./foreign-files.js";

/** Files that are asked for their lock concurrently. */
const WINDOW = 32;

/**
 * Throws STORE_IMMUTABLE if the store rejects to delete a file of a snapshot or stream for now. Files are asked for their
 * locks one by one only where nothing else tells: not in a bucket without object lock, and not where listings show locks.
 *
 * @returns how many files there are, and their bytes
 */
export async function checkUnlocked(
  store: SnapStore,
  snapshot: string,
  outer: AbortSignal,
): Promise<{ readonly files: number; readonly bytes: number }> {
  const signal = AbortSignal.any([outer]);
  // Each call in flight adds listeners.
  setMaxListeners(0, signal);
  const { locks } = store.capabilities;
  const asks = locks === "head" && !(await isWithoutLocks(store, signal));
  let files = 0;
  let bytes = 0;
  await inParallel(ownObjects(store, snapshot, signal), asks ? WINDOW : 1, async (listed) => {
    files++;
    bytes += listed.size;
    rejectLocked(store, asks ? await store.head(listed.key, signal) : listed);
  });
  return { files, bytes };
}

/** Whether the store says of itself that it locks no objects. */
async function isWithoutLocks(store: SnapStore, signal: AbortSignal): Promise<boolean> {
  const facts = await store.describe?.(signal);
  return facts?.objectLock?.enabled === false;
}

function rejectLocked(store: SnapStore, object: StoredObject | undefined): void {
  const { lockedUntil, key = "" } = object ?? {};
  if (lockedUntil === undefined || lockedUntil <= new Date()) return;
  throw new StoreError("STORE_IMMUTABLE", `${key} is locked until ${lockedUntil.toISOString()}`, {
    store: store.name,
  });
}
