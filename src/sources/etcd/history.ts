import type { EtcdLease } from "./types.js";

/** A change of one key, as a watch reports it and the database of etcd stores it. */
export interface EtcdChange {
  readonly deleted: boolean;
  /** The message `KeyValue` of etcd's `mvccpb` as it came; of a deletion, it has only the key and the revision. */
  readonly kv: Uint8Array;
}

/** All changes of one revision, in their order. */
export interface EtcdRevision {
  readonly revision: number;
  /** When it was seen, ms since 1970: etcd keeps no times. */
  readonly seenMs: number;
  readonly changes: readonly EtcdChange[];
  /** Leases that these changes are the first to name, as far as they still lived; again where its id was granted anew. */
  readonly leases: readonly EtcdLease[];
}
