import { randomBytes } from "node:crypto";
import { BackupToolError } from "../../errors.js";
import { StoreError } from "../../snapstore/errors.js";
import type { SnapStore } from "../../snapstore/store.js";
import { controlKey, listControlFiles } from "./control-file.js";

/** A quota may count objects: each of the reserve makes room for one. */
const OBJECTS = 4;
/** A few blocks of any file system, and a long plan. */
const OBJECT_BYTES = 32 << 10;

/**
 * Fills up the reserve: objects that are deleted when the store is full, so that a leader can begin and a deletion can
 * publish its plan there. Without them, only deletions by hand could ever make room. Throws nothing that the store, or
 * a guard, says: it is filled up another time.
 */
export async function keepReserve(store: SnapStore, signal: AbortSignal): Promise<void> {
  try {
    const there = new Set((await listControlFiles(store, "reserve", signal)).map(({ key }) => key));
    for (const key of reserveKeys().filter((one) => !there.has(one))) {
      // Zeros would take no room where a file system compresses.
      await store.put(key, randomBytes(OBJECT_BYTES), { ifAbsent: true, signal });
    }
  } catch (error) {
    if (!(error instanceof BackupToolError)) throw error;
  }
}

/** Writes; where the store is full, again with the room of one object of the reserve after the other. */
export async function usingReserve<T>(
  store: SnapStore,
  write: () => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  const keys = reserveKeys();
  for (;;) {
    try {
      return await write();
    } catch (error) {
      const isFull = error instanceof StoreError && error.code === "STORE_FULL";
      if (!isFull || !(await freeOne(store, keys, signal))) throw error;
    }
  }
}

/** Takes the object off the keys. Returns whether there was one. */
async function freeOne(store: SnapStore, keys: string[], signal: AbortSignal): Promise<boolean> {
  for (let key = keys.pop(); key !== undefined; key = keys.pop()) {
    if ((await store.head(key, signal)) === undefined) continue;
    await store.delete(key, signal);
    return true;
  }
  return false;
}

function reserveKeys(): string[] {
  return Array.from({ length: OBJECTS }, (_, i) => controlKey("reserve", String(i + 1)));
}
