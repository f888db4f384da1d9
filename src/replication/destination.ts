import type { MeteredStore } from "../snapstore/layers/metered.js";
import type { RecentFailure } from "../snapstore/layers/recent-failure.js";
import type { SnapStore } from "../snapstore/store.js";

/** A store that a new backup goes to, and how. */
export interface Destination {
  readonly store: SnapStore;
  /** Bytes of each part but the last. */
  readonly minChunkBytes: number;
  /** Parts of one file in flight. */
  readonly maxParallelChunks: number;
}

/** The second one, which is abandoned when it is too slow. */
export interface SecondaryDestination extends Destination {
  readonly store: MeteredStore;
  /** The last failure of its calls, for the message then. */
  readonly recentFailure: RecentFailure;
}
