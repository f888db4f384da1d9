import type { FlatPairs, ReadAttributes } from "./librados.js";
import type { Pair } from "./types.js";

export function pairsOf(flat: FlatPairs): Pair[] {
  const pairs: Pair[] = [];
  for (let i = 0; ; i += 2) {
    const [key, value] = [flat[i], flat[i + 1]];
    if (key === undefined || value === undefined) return pairs;
    pairs.push([key, value]);
  }
}

/** Memory of a pair beside its bytes: in librados, in the binding, and as two buffers here. */
const PAIR_BYTES = 1024;

/** Memory that pairs take, about. */
export function memoryOf(pairs: readonly Pair[]): number {
  let bytes = pairs.length * PAIR_BYTES;
  for (const [key, value] of pairs) bytes += key.length + value.length;
  return bytes;
}

/** Likewise. */
export function memoryOfFlat(flat: FlatPairs): number {
  let bytes = (flat.length / 2) * PAIR_BYTES;
  for (const part of flat) bytes += part.length;
  return bytes;
}

/** Memory that the attributes of an object take, about. */
export function memoryOfAttributes(attributes: ReadAttributes | undefined): number {
  if (attributes === undefined) return 0;
  const { xattrs, omapHeader, omap } = attributes;
  return memoryOfFlat(xattrs) + omapHeader.length + memoryOfFlat(omap);
}
