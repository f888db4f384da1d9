import type { SyncLag } from "../../replication/sync/lag.js";
import type { MirrorRefusal } from "../../replication/sync/mirror-plan.js";
import type { SyncSide } from "../../replication/sync/sync-error.js";
import type { SyncTotals } from "../../replication/sync/sync-run.js";

/** Names of the two stores of a sync. */
interface SyncStores {
  source: string;
  target: string;
}

/** Events of a sync, beside those of copies and deletions. */
export type SyncEvent =
  | ({ type: "sync-begun" } & SyncStores)
  /** Both stores are listed; copies and deletions follow. */
  | ({
      type: "sync-plan";
      /** Snapshots to copy, and their bytes. */
      copy: number;
      bytes: number;
      /** Streams of which the target lacks deltas, or a base. */
      streams: number;
      /** Snapshots and streams to delete from the target. */
      delete: number;
      /** Snapshots that will be deleted when they have been absent for longer. */
      waiting: number;
      /** Snapshots that are not copied since the target's retention would delete them. */
      unwanted: number;
      /** Snapshots that cannot be copied because of another backup in the target. */
      conflicts: number;
      lag: SyncLag;
    } & SyncStores)
  | ({
      type: "snapshot-copying";
      snapshot: string;
      /** `{directory}/{name}:{start}-{end}`. */
      key: string;
      files: number;
      bytes: number;
    } & SyncStores)
  /** What has gone from the source is not deleted from the target: of one loss, or at all. */
  | {
      type: "mirror-refused";
      store: string;
      refusal: MirrorRefusal;
      reason: string;
      /** Snapshots that would have been deleted, or that were lost together. */
      due: number;
      /** Complete snapshots of the target, or those that both stores had when the loss was first seen. */
      complete: number;
    }
  /** No further snapshot is deleted from the target in this run. */
  | { type: "mirror-failed"; store: string; code: string; reason: string }
  | ({ type: "sync-done" } & SyncStores & SyncTotals)
  /** A store failed. */
  | ({
      type: "sync-failed";
      side: SyncSide;
      /** The store that failed. */
      store: string;
      code: string;
      reason: string;
      /** Absent where a store could not be listed. */
      lag?: SyncLag;
    } & SyncStores);
