import type { EtcdRevision } from "../../sources/etcd/history.js";

/** A watch of all keys from a revision on. */
export interface HistoryWatch {
  /** Hexadecimal. */
  readonly clusterId: string;
  /** Whether the revision that the watch was opened after came once more, with the same changes. */
  readonly isStartProven: boolean;
  /** Hands over whole consecutive revisions. @throws WatchBroken, errors of etcd */
  run(sink: HistorySink): Promise<never>;
  /** Linearizable. */
  currentRevision(signal: AbortSignal): Promise<number>;
  compactRevision(signal: AbortSignal): Promise<number>;
  /** Names leases again, from the next revision on: for another stream. */
  forgetLeases(): void;
  close(): void;
}

export interface HistorySink {
  /** Resolves when more may come. */
  revisions(batch: readonly EtcdRevision[]): Promise<void>;
}

/** How a watch ended for good. */
export type WatchEnd =
  /** The log cannot go on: revisions are lost, or etcd has another history. */
  | { readonly kind: "broken"; readonly reason: string; readonly isOtherHistory: boolean }
  /** The login may not read all keys. */
  | { readonly kind: "denied" }
  /** Another watch may succeed. */
  | { readonly kind: "failed" };

/** A watch of what is written from now on. */
export interface NewestWatch {
  readonly watch: HistoryWatch;
  /** The last revision before those that it hands over. */
  readonly after: number;
}
