import { StoreError } from "../../snapstore/errors.js";
import type { SnapStore } from "../../snapstore/store.js";

/** More of them than any outage leaves; what is beyond is ignored after a day. */
const MOST = 1000;
/** An interrupted process does not wait longer for the removal of one of them, ms. */
export const REMOVE_MS = 5_000;

/** Keys of control files that this process has no more use for and could not remove, by the place of their store. */
const leftBehind = new Map<string, Set<string>>();

export function noteLeftBehind({ place }: SnapStore, key: string): void {
  const keys = leftBehind.get(place) ?? new Set();
  leftBehind.set(place, keys);
  if (keys.size < MOST) keys.add(key);
}

/**
 * Removes what earlier removals have left, as while the store was down: a pin would keep its snapshot from this process's own
 * retention for a day. Their names are random, so that none is another file meanwhile. Ends at the first that fails.
 */
export async function removeLeftBehind(store: SnapStore): Promise<void> {
  const keys = leftBehind.get(store.place);
  for (const key of keys ?? []) {
    try {
      await store.delete(key, AbortSignal.timeout(REMOVE_MS));
    } catch (error) {
      // One that is locked is for the removal of files of dead processes.
      if (!(error instanceof StoreError && error.code === "STORE_IMMUTABLE")) return;
    }
    keys?.delete(key);
  }
}
