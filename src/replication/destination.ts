import type { MeteredStore } from "../snapstore/layers/metered.js";
import type { RecentFailure } from "../snapstore/layers/recent-failure.js";
import type { SnapStore } from "../snapstore/store.js";

/** A store that a new backup goes to, and how. */
export interface Destination {
  readonly store: SnapStore;
  /** Bytes of each part but the last. */
  readonly minChunkBytes: number;
  /** Parts of one file on their way at once. */
  readonly maxParallelChunks: number;
}

/** The second one, which is given up when it gets nowhere. */
export interface SecondaryDestination extends Destination {
  readonly store: MeteredStore;
  /** Of the tries of its calls, for what is said then. */
  readonly recentFailure: RecentFailure;
}
