import type { LineBase } from "./line-base.js";
import type { LogSegment, PlannedStream } from "./log-line.js";

/** A backup that may hold a raw snapshot of etcd. */
export interface HistoryBase extends LineBase {
  readonly name: string;
  /** As its name says, until its METADATA.bin was read. */
  readonly revision: number;
  /** Undefined until its METADATA.bin was read. */
  readonly compactRevision?: number | undefined;
  /** Name of the stream that goes on from it, where it was made for one. */
  readonly stream?: { readonly text: string } | undefined;
}

/** How to make the database of a revision. */
export interface HistoryPlan<
  B extends HistoryBase = HistoryBase,
  S extends PlannedStream = PlannedStream,
> {
  readonly base: B;
  readonly revision: number;
  /** What is applied to the base, in order. Empty: the base is of this revision, or still holds it. */
  readonly log: readonly LogSegment<S>[];
  /** What has to be read besides to know that it is of the history that was asked for; undefined: nothing. */
  readonly proof?: PlanProof<S> | undefined;
}

/**
 * What shows that a plan is of the history that is asked for. `next`: the revision after that of the plan, in the log, which has
 * to follow it. `same`: a revision of the log that the base has to hold with the same changes.
 */
export interface PlanProof<S extends PlannedStream = PlannedStream> {
  readonly kind: "next" | "same";
  /** One revision. */
  readonly segment: LogSegment<S>;
}
