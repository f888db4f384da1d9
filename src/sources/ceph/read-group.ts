import { CephError, ENOENT } from "./errors.js";
import type { ReadBatch } from "./librados.js";
import { nameAt, sliceNames } from "./name-batch.js";
import { memoryOfAttributes, memoryOfFlat, pairsInPage, pairsOf } from "./pairs.js";
import { MAX_DATA_LENGTH, powerOfTwo, type ReadSizes } from "./read-sizes.js";
import type { Slab } from "./slab-pool.js";
import type { NameBatch, ObjectName, Pair, ReadFailure, ReadGroup, ReadObject } from "./types.js";

/** The objects of one read call of the binding. */
export interface GroupRequest {
  readonly names: NameBatch;
  /** Bytes of data and pairs of the omap to read of each object. */
  readonly dataLength: number;
  readonly pairs: number;
  /** Memory of all attributes: an estimate until they are read. */
  attributes: number;
  /** Whether an object is read again for its omap. */
  readonly isForOmap: boolean;
}

export interface GroupAnswer {
  readonly request: GroupRequest;
  readonly slab: Slab;
  readonly batch: ReadBatch;
}

interface OpenedAnswer extends ReadGroup {
  /** Requests for objects to read again. */
  readonly again: readonly GroupRequest[];
}

const NO_PAIRS: readonly Pair[] = [];
const NO_BYTES = new Uint8Array();

/** The objects of an answer, which hold its slab from now on. `sizes` learns from them. */
export function openAnswer(pool: string, answer: GroupAnswer, sizes: ReadSizes): OpenedAnswer {
  const { request, slab, batch } = answer;
  const objects: ReadObject[] = [];
  const vanished: ObjectName[] = [];
  const failures: ReadFailure[] = [];
  const again: GroupRequest[] = [];
  for (const [i, errno] of batch.errno.entries()) {
    const name = nameAt(request.names, i);
    if (errno === ENOENT) {
      vanished.push(name);
    } else if (errno < 0) {
      const error = CephError.of(errno, { operation: "read", pool, object: name.name });
      failures.push({ ...name, error });
    } else {
      sizes.addSize(batch.size[i] ?? 0);
      const more = readAgain(request, batch, i);
      if (more !== undefined) {
        again.push(more);
        continue;
      }
      const object = readObject(name, answer, i);
      sizes.addPairs(object.omap.length);
      objects.push(object);
    }
  }
  slab.release();
  return { objects, vanished, failures, again };
}

/** A request to read object `i` again, when it has more data than was read, up to a slab, or more pairs, up to a page. */
function readAgain(request: GroupRequest, batch: ReadBatch, i: number): GroupRequest | undefined {
  const [size = 0, dataLength = 0] = [batch.size[i], batch.dataLength[i]];
  const isShort = dataLength < size && request.dataLength < MAX_DATA_LENGTH;
  const attributes = batch.attributes[i];
  let [pairs, memory] = [request.pairs, memoryOfAttributes(attributes)];
  if (attributes?.omapMore && !request.isForOmap) {
    const found = attributes.omap.length / 2;
    const bytes = memoryOfFlat(attributes.omap);
    const page = found < pairs ? 0 : pairsInPage(found, bytes);
    if (page > pairs) [pairs, memory] = [page, (bytes / found) * page];
  }
  const isForOmap = pairs > request.pairs;
  if (!isShort && !isForOmap) return undefined;
  return {
    names: sliceNames(request.names, i, i + 1),
    dataLength: isShort ? Math.min(MAX_DATA_LENGTH, powerOfTwo(size)) : request.dataLength,
    pairs,
    attributes: memory,
    isForOmap: request.isForOmap || isForOmap,
  };
}

function readObject(
  name: ObjectName,
  { request, slab, batch }: GroupAnswer,
  i: number,
): ReadObject {
  const [size = 0, dataLength = 0] = [batch.size[i], batch.dataLength[i]];
  const attributes = batch.attributes[i];
  slab.retain();
  return {
    ...name,
    size,
    mtime: batch.mtime[i] ?? 0n,
    version: batch.version[i] ?? 0n,
    xattrs: attributes === undefined ? NO_PAIRS : pairsOf(attributes.xattrs),
    omapHeader: attributes?.omapHeader ?? NO_BYTES,
    omap: attributes === undefined ? NO_PAIRS : pairsOf(attributes.omap),
    omapMore: attributes?.omapMore ?? false,
    data: {
      memory: slab.memory,
      offset: i * request.dataLength,
      length: Math.min(dataLength, size),
    },
    release: () => slab.release(),
  };
}
