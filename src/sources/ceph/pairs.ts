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
