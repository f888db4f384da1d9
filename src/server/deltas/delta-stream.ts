import type { EtcdRevision } from "../../sources/etcd/history.js";

/** Revisions that no base and no delta has. */
export interface LogHole {
  readonly first: number;
  readonly last: number;
  readonly reason: string;
}

/** What a delta says beside its number. */
export interface DeltaContent {
  /** Decimal. */
  readonly clusterId: string;
  /** Digest of the changes of the revision before the first; undefined where it was not seen. */
  readonly before: Uint8Array | undefined;
  /** Digest of the changes of the last revision. */
  readonly after: Uint8Array;
  /** Of etcd at this time; 0: none. */
  readonly compactRevision: number;
  /** Of the first delta of a stream alone. */
  readonly hole: LogHole | undefined;
  readonly revisions: readonly EtcdRevision[];
}

/** A stream under keys of its own, which seals what is written to it. */
export interface DeltaStream {
  /** Hexadecimal. */
  readonly id: string;
  /** The bytes of the file of a delta. */
  seal(number: number, content: DeltaContent): Promise<Uint8Array>;
}
