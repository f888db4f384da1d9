import { orderedWindow } from "../../flow/ordered-window.js";
import { quoted } from "../../quoted.js";
import { callBinding } from "./binding-call.js";
import { CephError, ENOENT } from "./errors.js";
import type { PoolHandle, ReadAttributes, ReadBatch, ReadRequest } from "./librados.js";
import { packNames } from "./name-batch.js";
import { FIRST_PAIRS, memoryOf, pairsInPage, pairsOf } from "./pairs.js";
import type { ObjectName, Pair, SharedBytes } from "./types.js";

/** The version of an object whose first part was read. */
export interface ObjectPart {
  readonly version: bigint;
  readonly signal: AbortSignal;
}

const PAGE_BYTES = 4 << 20;
/** Pages in memory: one in use, the others being read. */
const PAGES = 5;

/**
 * Pages of data from `offset` to `size`. Each has its own memory until it is released.
 *
 * @throws CephError `CEPH_OBJECT_CHANGED` when the object is not at `version` any more
 */
export async function* readData(
  pool: PoolHandle,
  name: ObjectName,
  part: ObjectPart & { readonly offset: number; readonly size: number },
): AsyncGenerator<SharedBytes & { release(): void }> {
  const read = async ({ offset, length }: Page): Promise<SharedBytes> => {
    const memory = pool.memory.take(PAGE_BYTES);
    const data = { offset, length, memory: new Uint8Array(memory) };
    const { dataLength } = await readPart(pool, name, { attributes: false, data }, part);
    if (dataLength !== length) throw objectChanged(pool, name);
    return { memory, offset: 0, length };
  };
  for await (const page of orderedWindow(pagesOf(part), PAGES, read)) {
    part.signal.throwIfAborted();
    yield { ...page, release: () => pool.memory.give(page.memory) };
  }
}

interface Page {
  readonly offset: number;
  readonly length: number;
}

async function* pagesOf(part: { offset: number; size: number }): AsyncGenerator<Page> {
  const { size } = part;
  for (let { offset } = part; offset < size; offset += PAGE_BYTES) {
    yield { offset, length: Math.min(PAGE_BYTES, size - offset) };
  }
}

/**
 * Pages of the omap after the key `after`.
 *
 * @throws CephError `CEPH_OBJECT_CHANGED` when the object is not at `version` any more
 */
export async function* readOmap(
  pool: PoolHandle,
  name: ObjectName,
  part: ObjectPart & { readonly after: Uint8Array },
): AsyncGenerator<readonly Pair[]> {
  let { after } = part;
  let count = FIRST_PAIRS;
  for (;;) {
    const request = { attributes: false, omap: { after, count } };
    const { attributes } = await readPart(pool, name, request, part);
    if (attributes === undefined) return;
    const pairs = pairsOf(attributes.omap);
    count = pairsInPage(pairs.length, memoryOf(pairs));
    if (pairs.length > 0) yield pairs;
    if (!attributes.omapMore) return;
    const last = pairs.at(-1);
    // An empty page that says there are more leaves no key to go on from.
    if (last === undefined) throw objectChanged(pool, name);
    [after] = last;
  }
}

async function readPart(
  pool: PoolHandle,
  name: ObjectName,
  request: ReadRequest,
  { version, signal }: ObjectPart,
): Promise<{ dataLength: number; attributes: ReadAttributes | undefined }> {
  const context = { operation: "read", pool: pool.name, object: name.name };
  const batch = await callBinding<ReadBatch>(signal, context, (done) =>
    pool.native.read(pool.number, packNames([name]), request, done),
  );
  const [errno = 0] = batch.errno;
  if (errno === ENOENT) throw objectChanged(pool, name);
  if (errno < 0) throw CephError.of(errno, context);
  if (batch.version[0] !== version) throw objectChanged(pool, name);
  return { dataLength: batch.dataLength[0] ?? 0, attributes: batch.attributes[0] };
}

function objectChanged(pool: PoolHandle, { name }: ObjectName): CephError {
  return new CephError(
    "CEPH_OBJECT_CHANGED",
    `ceph: object ${quoted(name)} in pool ${quoted(pool.name)} changed while it was read`,
    { operation: "read", pool: pool.name, object: name },
  );
}
