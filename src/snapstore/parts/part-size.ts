import { StoreError } from "../errors.js";
import type { SnapStore } from "../store.js";

const MIB = 1 << 20;

/**
 * Bytes of each part: those asked for, unless the store wants larger ones, or so many of them would
 * not hold `expectedBytes`. Throws STORE_FAILED when the store cannot hold as much in one object.
 */
export function partSize(
  store: SnapStore,
  options: { partBytes: number; expectedBytes?: number | undefined },
): number {
  const { minPartBytes, maxPartBytes, maxParts } = store.capabilities;
  const { partBytes, expectedBytes = 0 } = options;
  const needed = Math.ceil(expectedBytes / maxParts / MIB) * MIB;
  const size = Math.min(Math.max(partBytes, minPartBytes, needed), maxPartBytes);
  if (size * maxParts >= expectedBytes) return size;
  const message = `cannot hold ${expectedBytes} bytes in one object`;
  throw new StoreError("STORE_FAILED", message, { store: store.name });
}
