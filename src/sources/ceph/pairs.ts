import type { FlatPairs, ReadAttributes } from "./librados.js";
import type { Pair } from "./types.js";

/** Most pairs of a page of an omap; an OSD returns no more. */
export const MAX_PAIRS = 1024;
/** Pairs to read while their size is not known. */
export const FIRST_PAIRS = 32;
/** Approximate bytes of a page. */
const PAGE_BYTES = 4 << 20;

/** Pairs to read next, when `pairs` of them take `bytes`. */
export function pairsInPage(pairs: number, bytes: number): number {
  const fitting = pairs === 0 ? MAX_PAIRS : Math.floor((PAGE_BYTES * pairs) / bytes);
  return Math.min(MAX_PAIRS, Math.max(1, fitting));
}

export function pairsOf(flat: FlatPairs): Pair[] {
  const pairs: Pair[] = [];
  for (let i = 0; ; i += 2) {
    const [key, value] = [flat[i], flat[i + 1]];
    if (key === undefined || value === undefined) return pairs;
    pairs.push([key, value]);
  }
}

/** Memory of a pair beside its bytes: in librados, in the binding, and of two buffers. */
const PAIR_BYTES = 1024;

/** Approximate memory of pairs. */
export function memoryOf(pairs: readonly Pair[]): number {
  let bytes = pairs.length * PAIR_BYTES;
  for (const [key, value] of pairs) bytes += key.length + value.length;
  return bytes;
}

/** Likewise of flat pairs. */
export function memoryOfFlat(flat: FlatPairs): number {
  let bytes = (flat.length / 2) * PAIR_BYTES;
  for (const part of flat) bytes += part.length;
  return bytes;
}

/** Approximate memory of the attributes of an object. */
export function memoryOfAttributes(attributes: ReadAttributes | undefined): number {
  if (attributes === undefined) return 0;
  const { xattrs, omapHeader, omap } = attributes;
  return memoryOfFlat(xattrs) + omapHeader.length + memoryOfFlat(omap);
}
