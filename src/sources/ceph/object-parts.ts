import { constants } from "node:os";
import { quoted } from "../../quoted.js";
import { answered } from "./answered.js";
import { CephError, ENOENT } from "./errors.js";
import { READ_DATA, READ_OMAP, READ_STAT, type ReadResult } from "./librados.js";
import { packNames } from "./name-batch.js";
import { memoryOf, pairsOf } from "./pairs.js";
import type { PoolHandle } from "./pool-handle.js";
import type { ObjectName, Pair, SharedBytes } from "./types.js";

/** A part of an object that was seen before at a version. */
export interface ObjectPart {
  readonly version: bigint;
  readonly signal: AbortSignal;
}

const PAGE_BYTES = 4 << 20;
/** Pages that are asked for ahead of the one in use. */
const READ_AHEAD = 3;
/** Entries of an omap page; the OSD gives 1,024 at most. */
export const OMAP_PAGE = 1024;
/** Entries that are asked for as long as nobody knows how large values are. */
export const FIRST_PAIRS = 32;

/** Entries of a page of a few MiB, when so many take so many bytes. */
export function pairsOfPage(pairs: number, bytes: number): number {
  const fitting = pairs === 0 ? OMAP_PAGE : Math.floor((PAGE_BYTES * pairs) / bytes);
  return Math.min(OMAP_PAGE, Math.max(1, fitting));
}

/** Pages of data from `offset` to `size`. Each page is in memory of its own until it is released. */
export async function* readData(
  pool: PoolHandle,
  name: ObjectName,
  part: ObjectPart & { readonly offset: number; readonly size: number },
): AsyncGenerator<SharedBytes & { release(): void }> {
  const { signal, size } = part;
  const pending: Promise<SharedBytes>[] = [];
  let next = part.offset;
  const ask = async (offset: number, length: number): Promise<SharedBytes> => {
    const memory = pool.memory.take(PAGE_BYTES);
    const request = new Float64Array([READ_STAT | READ_DATA, offset, length, 0]);
    const result = await readOne(pool, name, request, memory, undefined, part);
    if (result[4] !== length) throw changed(pool, name);
    return { memory, offset: 0, length };
  };
  const fill = (): void => {
    while (next < size && pending.length <= READ_AHEAD) {
      const length = Math.min(PAGE_BYTES, size - next);
      const page = ask(next, length);
      page.catch(() => {});
      pending.push(page);
      next += length;
    }
  };
  fill();
  for (let page = pending.shift(); page !== undefined; page = pending.shift()) {
    const { memory, offset, length } = await page;
    signal.throwIfAborted();
    fill();
    yield { memory, offset, length, release: () => pool.memory.give(memory) };
  }
}

/** Pages of the omap after `after`. */
export async function* readOmap(
  pool: PoolHandle,
  name: ObjectName,
  part: ObjectPart & { readonly after: Uint8Array },
): AsyncGenerator<readonly Pair[]> {
  let after = part.after;
  let count = FIRST_PAIRS;
  for (;;) {
    const request = new Float64Array([READ_STAT | READ_OMAP, 0, 0, count]);
    const result = await readOne(pool, name, request, NO_MEMORY, after, part);
    const pairs = pairsOf(result[7]);
    count = pairsOfPage(pairs.length, memoryOf(pairs));
    if (pairs.length > 0) yield pairs;
    const last = pairs.at(-1);
    if (!result[8]) return;
    // "More" without anything: nothing to go on from.
    if (last === undefined) throw changed(pool, name);
    after = last[0];
  }
}

const NO_MEMORY = new SharedArrayBuffer(1);

async function readOne(
  pool: PoolHandle,
  name: ObjectName,
  request: Float64Array,
  memory: SharedArrayBuffer,
  after: Uint8Array | undefined,
  { version, signal }: ObjectPart,
): Promise<ReadResult> {
  const { bytes, offsets } = packNames([name]);
  const slots = new Float64Array([0]);
  const { results } = await answered<[readonly ReadResult[]]>(signal, (done) =>
    pool.native.read(
      pool.number,
      bytes,
      offsets,
      request,
      new Uint8Array(memory),
      slots,
      after,
      done,
    ),
  );
  const result = results[0][0];
  const code = result?.[0] ?? -constants.errno.EIO;
  if (code === ENOENT) throw changed(pool, name);
  if (result === undefined || code < 0) {
    throw CephError.of(code, { operation: "read", pool: pool.name, object: name.name });
  }
  if (result[3] !== version) throw changed(pool, name);
  return result;
}

function changed(pool: PoolHandle, { name }: ObjectName): CephError {
  return new CephError(
    "CEPH_OBJECT_CHANGED",
    `ceph: object ${quoted(name)} in pool ${quoted(pool.name)} changed while it was read`,
    { operation: "read", pool: pool.name, object: name },
  );
}
