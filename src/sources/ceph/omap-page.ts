/** Bytes of a page of an omap, about. */
const PAGE_BYTES = 4 << 20;

/** Most pairs of a page; an OSD returns no more. */
export const MAX_PAIRS = 1024;
/** Pairs to ask for as long as their size is not known. */
export const FIRST_PAIRS = 32;

/** Pairs to ask for next, when `pairs` of them take `bytes`. */
export function pairsInPage(pairs: number, bytes: number): number {
  const fitting = pairs === 0 ? MAX_PAIRS : Math.floor((PAGE_BYTES * pairs) / bytes);
  return Math.min(MAX_PAIRS, Math.max(1, fitting));
}
