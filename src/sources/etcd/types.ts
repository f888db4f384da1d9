/** Records and leases of etcd, as operations see them. */

/** A key with its value, as `KeyValue` of etcd's `mvccpb`. Revisions are below 2^53. */
export interface EtcdRecord {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
  /** Lease id; 0n when the key has none. */
  readonly lease: bigint;
}

/** A lease with its granted time to live, seconds. */
export interface EtcdLease {
  readonly id: bigint;
  readonly grantedTtl: number;
}

/** How a restore treats keys that had a lease. */
export type LeasePolicy = "regrant" | "drop" | "keep-forever";
