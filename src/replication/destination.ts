import type { MeteredStore } from "../snapstore/layers/metered.js";
import type { RecentFailure } from "../snapstore/layers/recent-failure.js";
import type { SnapStore } from "../snapstore/store.js";

/** A store that receives a new backup. */
export interface Destination {
  readonly store: SnapStore;
  /** Minimum bytes of each part but the last. */
  readonly minChunkBytes: number;
  /** Parts of one file in flight. */
  readonly maxParallelChunks: number;
}

/** The second store, which is abandoned if it is too slow. */
export interface SecondaryDestination extends Destination {
  readonly store: MeteredStore;
  /** The last failure of its calls, for the message. */
  readonly recentFailure: RecentFailure;
}
