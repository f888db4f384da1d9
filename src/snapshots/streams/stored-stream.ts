import type { LeftOver, SnapshotFacts } from "../catalog.js";
import { manifestKey } from "../manifest.js";
import { deltaName } from "./delta-name.js";
import type { DeltaTable, ListedDelta } from "./delta-table.js";
import type { StreamName } from "./stream-name.js";

/** What can be known of the deltas of a stream without their names. */
export interface DeltaFacts extends Iterable<{ readonly time: number }> {
  readonly length: number;
  /** Size of all files. */
  readonly bytes: number;
  readonly newest: ListedDelta | undefined;
}

/** A stream of deltas in a store, as its listing and the manifest of its base show it. */
export interface StoredStream<D extends DeltaFacts = DeltaTable> {
  readonly name: StreamName;
  /** The raw snapshot in the folder of the stream; undefined if it has none. */
  readonly base: StoredBase | undefined;
  readonly deltas: D;
  /** Where deltas follow each other without a gap, in order. One of a whole stream, none without deltas. */
  readonly runs: readonly DeltaRun[];
  /** Deltas that the store lacks between and before the others. Those after the last one cannot be known. */
  readonly gaps: readonly DeltaGap[];
  /** First revision of the first delta; undefined without deltas. */
  readonly first: number | undefined;
  /** Last revision of the last delta. */
  readonly last: number | undefined;
  /** When the last revision was seen, seconds since 1970. */
  readonly lastSeen: number | undefined;
  /** All files of this program in the folder: deltas, those of the base, and unfinished ones. */
  readonly left: LeftOver;
  /** Why the stream is damaged, or a warning about another program's file. A gap is not damage: a copy may lack deltas. */
  readonly problem: string | undefined;
  /** Key of another program's file in the folder. If set, the stream must not be deleted. */
  readonly foreign: string | undefined;
}

/** Key of the file of a stream that was written last: its lock ends last. */
export function newestKey({
  name,
  deltas: { newest },
}: Pick<StoredStream<DeltaFacts>, "name" | "deltas">): string {
  return newest === undefined ? manifestKey(name.text) : `${name.text}/${deltaName(newest)}`;
}

/** Decides what a listing keeps of the deltas of a stream; called for one stream after the other. */
export type DeltaTaker<D> = (stream: Omit<StoredStream, "base">) => D;

/** A raw snapshot of etcd in the folder of a stream. */
export interface StoredBase {
  /** Complete: the manifest and all of its files exist, with the right sizes. Unfinished: no manifest. */
  readonly state: "complete" | "unfinished" | "damaged";
  readonly problem?: string;
  /** From the manifest, if it is readable. */
  readonly facts?: SnapshotFacts;
  /** Revision of etcd: the one before the first of the stream. */
  readonly revision: number;
}

/** Deltas with consecutive numbers and revisions. */
export interface DeltaRun {
  /** Place of the first one in the table. */
  readonly at: number;
  readonly count: number;
  readonly first: number;
  readonly last: number;
}

export interface DeltaGap {
  /** How many deltas are missing; 0 where only their revisions do not follow each other. */
  readonly deltas: number;
  /** Revisions that are missing; undefined where deltas overlap. */
  readonly revisions: { readonly first: number; readonly last: number } | undefined;
}

/** The runs and gaps of a table, whose stream begins with revision `first`; and what no stream may have. */
export function runsOf(
  table: DeltaTable,
  first: number,
): { runs: DeltaRun[]; gaps: DeltaGap[]; problem: string | undefined } {
  const runs: DeltaRun[] = [];
  const gaps: DeltaGap[] = [];
  let problem: string | undefined;
  let before: Pick<ListedDelta, "number" | "last"> = { number: -1, last: first - 1 };
  let at = 0;
  for (const delta of table) {
    const step = delta.number - before.number;
    const follows = step === 1 && delta.first === before.last + 1;
    const run = runs.at(-1);
    if (follows && run !== undefined) {
      runs[runs.length - 1] = { ...run, count: run.count + 1, last: delta.last };
    } else {
      runs.push({ at, count: 1, first: delta.first, last: delta.last });
    }
    if (!follows) {
      const [from, to] = [before.last + 1, delta.first - 1];
      const revisions = from <= to ? { first: from, last: to } : undefined;
      gaps.push({ deltas: Math.max(0, step - 1), revisions });
      problem ??= contradiction(step, delta, before);
    }
    before = delta;
    at++;
  }
  return { runs, gaps, problem };
}

/** Why a delta cannot be of the same stream as the one before it; undefined if others can be between them. */
function contradiction(
  step: number,
  delta: ListedDelta,
  before: Pick<ListedDelta, "number" | "last">,
): string | undefined {
  if (step === 0) return `it has two deltas of number ${delta.number}`;
  const lost = delta.first - before.last - 1;
  if (step === 1) {
    const after = before.number < 0 ? "its name" : `delta ${before.number}`;
    return `delta ${delta.number} does not follow ${after}: it begins with revision ${delta.first}, not ${before.last + 1}`;
  }
  if (lost >= step - 1) return undefined;
  return `delta ${delta.number} begins with revision ${delta.first}, too early for the ${step - 1} missing before it`;
}
