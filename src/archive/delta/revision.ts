import type { ArchivedLease } from "../records.js";

/** A change of one key of etcd, as a delta holds it. */
export interface ArchivedChange {
  readonly deleted: boolean;
  /** The message `mvccpb.KeyValue` as etcd sent it. */
  readonly kv: Uint8Array;
}

/** All changes of one revision of etcd, in their order. */
export interface ArchivedRevision {
  readonly revision: number;
  /** When it was seen, ms since 1970. */
  readonly seenMs: number;
  readonly changes: readonly ArchivedChange[];
  /** Leases that the stream has not named before. */
  readonly leases: readonly ArchivedLease[];
}
