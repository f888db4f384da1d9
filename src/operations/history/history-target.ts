/** A moment of etcd's history. */
export type HistoryTarget =
  | { readonly kind: "revision"; readonly revision: number }
  /** The last revision that was seen at this moment or before, ms since 1970. */
  | { readonly kind: "time"; readonly timeMs: number }
  /** The last revision that a raw snapshot and the deltas after it hold. */
  | { readonly kind: "newest" };
