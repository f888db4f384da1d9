/** What the etcd source hands to operations. It knows nothing of archives. */

/** One key with its value, as `KeyValue` of etcd's `mvccpb`. Revisions stay below 2^53. */
export interface EtcdRecord {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
  /** Lease id; 0n when the key has none. */
  readonly lease: bigint;
}

/** A lease with the time to live that it was granted, seconds. */
export interface EtcdLease {
  readonly id: bigint;
  readonly grantedTtl: number;
}

/** What restore does with keys that had a lease. */
export type LeasePolicy = "regrant" | "drop" | "keep-forever";
