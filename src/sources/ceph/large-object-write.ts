import { CallWindow } from "../../flow/call-window.js";
import type { PoolHandle, WriteMode } from "./librados.js";
import { REPLACE, writeObjects } from "./object-writes.js";
import type { ObjectContents, ObjectName, Pair } from "./types.js";

/** An object that takes more than one write operation. */
export interface LargeObject {
  /** Nanoseconds since 1970. Needed only when the omap is at its end. */
  readonly mtime: bigint | Promise<bigint>;
  readonly xattrs: readonly Pair[];
  readonly omapHeader: Uint8Array;
  /** Pages of the omap. */
  readonly omap: AsyncIterable<readonly Pair[]> | Iterable<readonly Pair[]>;
  /** The data in order. Pieces must not change until the write is over. */
  readonly data: AsyncIterable<readonly Uint8Array[]>;
  readonly signal: AbortSignal;
}

/** Well below osd_max_write_size, 90 MB by default. */
const OPERATION_BYTES = 4 << 20;
/** RADOS keeps the order of the writes of one client to one object, so several can be in flight. */
const IN_FLIGHT = 4;

const ADD: WriteMode = { replace: false, offset: 0 };

const NOTHING: Omit<ObjectContents, "mtime"> = {
  data: [],
  xattrs: [],
  omapHeader: new Uint8Array(),
  omap: [],
};

/**
 * Replaces an object. The first operation removes its old contents, the others add to it. Each sets the mtime, so the last
 * must set the right one.
 */
export async function writeLargeObject(
  pool: PoolHandle,
  name: ObjectName,
  { xattrs, omapHeader, omap, data, signal, ...object }: LargeObject,
): Promise<void> {
  const window = new CallWindow(IN_FLIGHT);
  const send = (contents: ObjectContents, mode: WriteMode): Promise<void> =>
    window.add(() => writeObjects(pool, [{ ...name, ...contents }], mode, signal));
  let mode = REPLACE;
  // Sent once more pairs or the mtime have arrived: it may be the last operation.
  let held: Omit<ObjectContents, "mtime"> = { ...NOTHING, xattrs, omapHeader };
  for await (const page of omap) {
    // RADOS rejects an operation that sets nothing but the mtime.
    if (page.length === 0) continue;
    await send({ ...held, mtime: 0n }, mode);
    mode = ADD;
    held = { ...NOTHING, omap: page };
  }
  const mtime = await object.mtime;
  await send({ ...held, mtime }, mode);
  let offset = 0;
  for await (const { pieces, length } of operationsOf(data, pool.alignment)) {
    await send({ ...NOTHING, data: pieces, mtime }, { replace: false, offset });
    offset += length;
  }
  await window.drain();
}

interface OperationData {
  readonly pieces: readonly Uint8Array[];
  readonly length: number;
}

/** Cuts data into operations. An erasure-coded pool accepts only whole stripes, but for the last operation. */
async function* operationsOf(
  data: AsyncIterable<readonly Uint8Array[]>,
  alignment: number,
): AsyncGenerator<OperationData> {
  const stripe = Math.max(1, alignment);
  const full = stripe * Math.ceil(OPERATION_BYTES / stripe);
  let pieces: Uint8Array[] = [];
  let length = 0;
  for await (const more of data) {
    for (let rest of more) {
      while (rest.length > 0) {
        const piece = rest.subarray(0, full - length);
        rest = rest.subarray(piece.length);
        pieces.push(piece);
        length += piece.length;
        if (length < full) continue;
        yield { pieces, length };
        pieces = [];
        length = 0;
      }
    }
  }
  if (length > 0) yield { pieces, length };
}
