import type { NameBatch, ObjectName } from "./types.js";

/** Name `index` of a batch; its parts are views. */
export function nameAt(batch: NameBatch, index: number): ObjectName {
  const { bytes, offsets } = batch;
  const at = 3 * index;
  const [a, b, c, d] = [offsets[at], offsets[at + 1], offsets[at + 2], offsets[at + 3]];
  return {
    namespace: bytes.subarray(a, b),
    locator: bytes.subarray(b, c),
    name: bytes.subarray(c, d),
  };
}

export function packNames(names: readonly ObjectName[]): NameBatch {
  let length = 0;
  for (const { namespace, locator, name } of names) {
    length += namespace.length + locator.length + name.length;
  }
  const bytes = new Uint8Array(length);
  const offsets = new Uint32Array(3 * names.length + 1);
  let at = 0;
  let part = 0;
  for (const { namespace, locator, name } of names) {
    for (const piece of [namespace, locator, name]) {
      bytes.set(piece, at);
      at += piece.length;
      offsets[++part] = at;
    }
  }
  return { count: names.length, bytes, offsets };
}

/** Names `from` … `to` (exclusive). The bytes are shared with `batch`. */
export function sliceNames(batch: NameBatch, from: number, to: number): NameBatch {
  if (from === 0 && to === batch.count) return batch;
  return {
    count: to - from,
    bytes: batch.bytes,
    offsets: batch.offsets.subarray(3 * from, 3 * to + 1),
  };
}
