import { StoreError } from "../errors.js";
import type { SnapStore } from "../store.js";

const MIB = 1 << 20;

/**
 * Bytes of each part: `partBytes`, or more where the minimum of the store, or its maximum number of parts for
 * `expectedBytes`, requires it. Throws STORE_FAILED if the store cannot hold `expectedBytes` in one object.
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
  const message = `an object cannot hold ${expectedBytes} bytes`;
  throw new StoreError("STORE_FAILED", message, { store: store.name });
}
