import type { Pair } from "./types.js";

/** Pairs from the binding's flat list: key, value, key, … */
export function pairsOf(flat: readonly Uint8Array[] | null): Pair[] {
  const pairs: Pair[] = [];
  for (let i = 0; flat !== null && i + 1 < flat.length; i += 2) {
    pairs.push([flat[i] as Uint8Array, flat[i + 1] as Uint8Array]);
  }
  return pairs;
}

/** The binding's flat list; null for none. */
export function flatOf(pairs: readonly Pair[]): Uint8Array[] | null {
  return pairs.length === 0 ? null : pairs.flat();
}

/** What a pair takes beside its bytes: in librados, in the binding and here, two buffers. */
const PAIR_BYTES = 1024;

/** Memory of the pairs of a flat list, about. */
export function memoryOfFlat(flat: readonly Uint8Array[] | null): number {
  if (flat === null) return 0;
  let bytes = (flat.length / 2) * PAIR_BYTES;
  for (const part of flat) bytes += part.length;
  return bytes;
}

/** Memory of pairs, about. */
export function memoryOf(pairs: readonly Pair[]): number {
  let bytes = pairs.length * PAIR_BYTES;
  for (const [key, value] of pairs) bytes += key.length + value.length;
  return bytes;
}
