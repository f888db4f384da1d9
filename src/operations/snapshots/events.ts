import type { Reason } from "../../snapshots/retention/reason.js";
import type { SyncEvent } from "./sync-events.js";

type SnapshotStateName = "complete" | "unfinished" | "damaged" | "absent";

/** One snapshot in a listing. */
export interface SnapshotRow {
  /** `{directory}/{name}:{start}-{end}`. */
  key: string;
  name: string;
  kind: "full" | "incremental";
  /** Start of the backup, RFC 3339. */
  time: string;
  ageSeconds: number;
  /** Revisions of etcd; both 0 without it. */
  firstRevision: number;
  lastRevision: number;
  /** Of the manifest, where it can be read. */
  id?: string;
  finishedAt?: string;
  /** Id of the base of an incremental. */
  base?: string;
  /** Name of the base in the stores, or `missing`. */
  baseName?: string;
  files: number;
  bytes: number;
  primary: SnapshotStateName;
  /** Absent with one store. */
  secondary?: SnapshotStateName;
  problem?: string;
  /** The stores in which it is held; absent if in none. */
  held?: HeldIn[];
}

/** Behind: it lacks the last deltas that the other store has. Gaps: it lacks deltas before its last one. */
export type StreamStateName = "complete" | "behind" | "gaps" | "unfinished" | "damaged" | "absent";

/** One stream of etcd's deltas in a listing. */
export interface StreamRow {
  name: string;
  /** Its start, RFC 3339. */
  time: string;
  /** Since its last revision was seen. */
  ageSeconds: number;
  /** Revisions of etcd. */
  firstRevision: number;
  /** Absent without deltas. */
  lastRevision?: number;
  deltas: number;
  /** Of its deltas, and of the base in its folder. */
  bytes: number;
  /** The state of the raw snapshot in its folder; absent without one. */
  base?: "complete" | "unfinished" | "damaged";
  primary: StreamStateName;
  /** Absent with one store. */
  secondary?: StreamStateName;
  problem?: string;
  /** The stores in which it is held; absent if in none. */
  held?: HeldIn[];
}

/** A hold on a snapshot or stream in one of the stores. */
export interface HeldIn {
  in: "primary" | "secondary";
  reason?: string;
  /** RFC 3339. */
  heldAt?: string;
}

/** Events of operations on stores. */
export type SnapshotEvent =
  | SyncEvent
  /** A call of a store failed and is retried, with waits of at most `forMs` milliseconds in sum. */
  | { type: "store-retrying"; store: string; reason: string; forMs: number }
  /** A new backup goes to a store under this name. */
  | { type: "snapshot-begun"; snapshot: string; store: string }
  | {
      type: "snapshot-stored";
      snapshot: string;
      key: string;
      store: string;
      /** Absent without one, or when it was left behind. */
      secondary?: string;
    }
  /** The snapshot that is read. */
  | { type: "snapshot-chosen"; snapshot: string; store: string }
  | { type: "snapshots"; count: number }
  | ({ type: "snapshot" } & SnapshotRow)
  /** Streams of deltas follow; not reported without one. */
  | { type: "streams"; count: number }
  | ({ type: "stream" } & StreamRow)
  | { type: "snapshot-damaged"; snapshot: string; store: string; file: string; reason: string }
  | {
      type: "snapshot-verified";
      snapshot: string;
      store: string;
      files: number;
      bytes: number;
      filesRead: number;
      bytesRead: number;
      damaged: number;
    }
  | {
      type: "snapshot-deleted";
      snapshot: string;
      store: string;
      files: number;
      bytes: number;
      dryRun: boolean;
    }
  /** An unfinished snapshot within the grace period. */
  | { type: "snapshot-kept"; snapshot: string; store: string }
  /** Retention has looked at a store; the decisions about its streams and snapshots follow, oldest first. */
  | {
      type: "retention-begun";
      store: string;
      snapshots: number;
      /** Of etcd's deltas; absent without one. */
      streams?: number;
      dryRun: boolean;
    }
  | {
      type: "retention-decision";
      snapshot: string;
      kind: "full" | "incremental" | "stream";
      /** RFC 3339. */
      time: string;
      store: string;
      keep: boolean;
      reasons: readonly Reason[];
      dryRun: boolean;
    }
  /** The others are deleted all the same. */
  | { type: "snapshot-not-deleted"; snapshot: string; store: string; code: string; reason: string }
  /** The end of retention in a store; in a dry run `deleted` counts what would be. */
  | {
      type: "retention";
      store: string;
      kept: number;
      deleted: number;
      failed: number;
      dryRun: boolean;
    }
  | {
      type: "snapshot-held";
      snapshot: string;
      store: string;
      /** Names of the bases that it keeps too. */
      bases: string[];
      reason?: string | undefined;
    }
  | { type: "snapshot-released"; snapshot: string; store: string }
  | { type: "uploads-aborted"; store: string; count: number }
  | {
      type: "snapshot-copied";
      snapshot: string;
      /** Repaired: another snapshot, or a part of it, had its name. */
      outcome: "copied" | "repaired" | "present";
      files: number;
      bytes: number;
      copiedFiles: number;
      copiedBytes: number;
    }
  | {
      type: "snapshot-not-copied";
      snapshot: string;
      code: string;
      reason: string;
      /** The store whose call failed, if a sync knows it. */
      side?: "source" | "target";
    }
  | {
      type: "copied";
      source: string;
      target: string;
      copied: number;
      repaired: number;
      present: number;
      failed: number;
    };
