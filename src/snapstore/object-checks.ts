import { StoreError } from "./errors.js";
import type { SnapStore } from "./store.js";

/** For a read of no bytes, since HTTP has no empty ranges: throws STORE_NOT_FOUND if the object does not exist. */
export async function checkExists(
  store: SnapStore,
  key: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  if ((await store.head(key, signal)) !== undefined) return;
  throw new StoreError("STORE_NOT_FOUND", `${key}: not found`, { store: store.name });
}

/** Whether the object has these bytes. Throws STORE_NOT_FOUND if it does not exist. */
export async function hasContent(
  store: SnapStore,
  key: string,
  bytes: Uint8Array,
  signal: AbortSignal,
): Promise<boolean> {
  let at = 0;
  for await (const piece of store.get(key, { signal })) {
    if (Buffer.compare(piece, bytes.subarray(at, at + piece.length)) !== 0) return false;
    at += piece.length;
  }
  return at === bytes.length;
}
