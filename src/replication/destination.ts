import type { RecentFailure } from "../snapstore/recent-failure.js";
import type { SnapStore } from "../snapstore/store.js";

/** A store that a new backup goes to, and how. */
export interface Destination {
  readonly store: SnapStore;
  /** Bytes of each part but the last. */
  readonly minChunkBytes: number;
  /** Parts of one file on their way at once. */
  readonly maxParallelChunks: number;
  /** Of the tries of its calls, for what is said of a store that gets nowhere. */
  readonly recentFailure?: RecentFailure | undefined;
}
