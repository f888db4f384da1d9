import type { WriteRequest } from "./librados.js";
import { sendWrites } from "./object-writes.js";
import { flatOf } from "./pairs.js";
import type { PoolHandle } from "./pool-handle.js";
import type { ObjectName, Pair } from "./types.js";

/** An object that takes more than one write operation. */
export interface LargeObject {
  /** Nanoseconds since 1970; need not be known before the omap has come to its end. */
  readonly mtime: bigint | Promise<bigint>;
  readonly xattrs: readonly Pair[];
  readonly omapHeader: Uint8Array;
  /** Pages of the omap. */
  readonly omap: AsyncIterable<readonly Pair[]> | Iterable<readonly Pair[]>;
  /** The data in order; pieces stay unchanged until the write is over. */
  readonly data: AsyncIterable<readonly Uint8Array[]>;
  readonly signal: AbortSignal;
}

/** Well under osd_max_write_size, which is 90 MB unless it was changed. */
const OPERATION_BYTES = 4 << 20;
/** RADOS keeps the order of one client's writes to one object, so they need not wait for each other. */
const IN_FLIGHT = 4;

/**
 * Replaces an object: the first operation takes away all that it had, the rest add to it. Each sets a
 * time, and the last one the right one.
 */
export async function writeLargeObject(
  pool: PoolHandle,
  name: ObjectName,
  { xattrs, omapHeader, omap, data, signal, ...object }: LargeObject,
): Promise<void> {
  const inFlight = new Set<Promise<void>>();
  let failure: { error: unknown } | undefined;
  const send = async (request: WriteRequest): Promise<void> => {
    while (inFlight.size >= IN_FLIGHT) await Promise.race(inFlight);
    if (failure !== undefined) throw failure.error;
    const sent: Promise<void> = sendWrites(pool, [name], [request], signal)
      .catch((error: unknown) => {
        failure ??= { error };
      })
      .finally(() => inFlight.delete(sent));
    inFlight.add(sent);
  };
  const header = omapHeader.length === 0 ? null : omapHeader;
  let held: WriteRequest = [1, 0, [], flatOf(xattrs), header, null, 0n];
  const last = async (mtime: bigint): Promise<void> => {
    const [mode, offset, pieces, attributes, omapHead, pairs] = held;
    await send([mode, offset, pieces, attributes, omapHead, pairs, mtime]);
  };
  for await (const page of omap) {
    // An operation that does nothing but set the time is refused.
    if (page.length === 0) continue;
    await send(held);
    held = [0, 0, [], null, null, flatOf(page), 0n];
  }
  // One operation waits for the time: there may be no data to come.
  const mtime = await object.mtime;
  await last(mtime);
  // An erasure-coded pool takes appends in whole stripes alone, but for the last.
  const { alignment } = pool;
  const full = alignment > 1 ? alignment * Math.ceil(OPERATION_BYTES / alignment) : OPERATION_BYTES;
  let offset = 0;
  let pieces: Uint8Array[] = [];
  let length = 0;
  const flush = async (): Promise<void> => {
    if (length === 0) return;
    await send([0, offset, pieces, null, null, null, mtime]);
    offset += length;
    pieces = [];
    length = 0;
  };
  for await (const more of data) {
    for (let piece of more) {
      while (piece.length > 0) {
        const part = piece.subarray(0, full - length);
        pieces.push(part);
        length += part.length;
        piece = piece.subarray(part.length);
        if (length === full) await flush();
      }
    }
  }
  await flush();
  while (inFlight.size > 0) await Promise.race(inFlight);
  if (failure !== undefined) throw failure.error;
}
