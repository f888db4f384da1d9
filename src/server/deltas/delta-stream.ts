import type { EtcdRevision } from "../../sources/etcd/history.js";

/** Revisions before a stream that no delta has: it ends right before the first of the stream. */
export interface LogHole {
  readonly from: number;
  readonly to: number;
  readonly reason: string;
}

/** What a stream says of itself in its deltas. */
export interface StreamFacts {
  /** Its name in stores. */
  readonly stream: string;
  /** Of the cluster, hexadecimal. */
  readonly clusterId: string;
  readonly firstRevision: number;
  /** Digest of the changes of the revision before the first; null where it was not seen. */
  readonly before: Uint8Array | null;
  readonly hole: LogHole | null;
}

/** Keys of a new stream, with which one writer can be made. */
export interface StreamKeys {
  /** Of the stream, hexadecimal. */
  readonly id: string;
  begin(facts: StreamFacts): DeltaSealer;
}

/** Seals the deltas of one stream, one after the other. After a failure it must not be used. */
export interface DeltaSealer {
  /** Whether the stream has as many deltas as it may have. */
  readonly isFull: boolean;
  /** @param compactRevision of etcd now; 0: none */
  seal(revisions: readonly EtcdRevision[], compactRevision: number): Promise<SealedFile>;
}

export interface SealedFile {
  readonly number: number;
  readonly first: number;
  readonly last: number;
  /** When the last revision was seen, seconds since 1970. */
  readonly time: number;
  readonly bytes: Uint8Array;
}
