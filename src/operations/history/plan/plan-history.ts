import {
  coveringSegments,
  endOfCover,
  type LogLine,
  type LogSegment,
  type PlannedStream,
  logLines,
  startMs,
} from "./log-line.js";

/** A backup that may hold a raw snapshot of etcd. */
export interface HistoryBase {
  readonly name: string;
  /** As its name says, until its METADATA.bin was read. */
  readonly revision: number;
  /** No later change is in it, ms since 1970. */
  readonly takenMs: number;
  /** Undefined until its METADATA.bin was read. */
  readonly compactRevision?: number | undefined;
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
}

/** Revisions from `first` to `last`. */
export interface RevisionRange {
  readonly first: number;
  readonly last: number;
}

/**
 * Ways to a revision, the best first: from the newest base before it over the log, or back from a base that still holds it.
 * Names alone do not tell which line a base is of, nor what a backup holds: whoever follows a plan compares base and log,
 * and plans again with what it has learned. Empty: nothing holds the revision.
 */
export function planRevision<B extends HistoryBase, S extends PlannedStream>(
  bases: readonly B[],
  streams: readonly S[],
  revision: number,
  { asOfMs = Number.POSITIVE_INFINITY }: { readonly asOfMs?: number | undefined } = {},
): HistoryPlan<B, S>[] {
  const plans: HistoryPlan<B, S>[] = [];
  for (const line of linesAsOf(streams, asOfMs)) {
    const ofLine = bases.filter(({ takenMs }) => takenMs < line.untilMs);
    plans.push(...plansOfLine(ofLine, line, revision));
  }
  return plans.filter((plan, i) => plans.findIndex((other) => isSame(plan, other)) === i);
}

/** The revision that the newest base and the log after it reach; undefined without a base. */
export function newestRevision(
  bases: readonly HistoryBase[],
  streams: readonly PlannedStream[],
): number | undefined {
  const [newest] = [...bases].sort((a, b) => b.takenMs - a.takenMs || b.revision - a.revision);
  if (newest === undefined) return undefined;
  const [line = { segments: [] }] = logLines(streams);
  return endOfCover(line, newest.revision);
}

/** All revisions that can be restored, as far as it is known. A base that was not opened counts for its own alone. */
export function restorableRanges(
  bases: readonly HistoryBase[],
  streams: readonly PlannedStream[],
): RevisionRange[] {
  const ranges = logLines(streams).flatMap((line) =>
    bases
      .filter(({ takenMs }) => takenMs < line.untilMs)
      .map(({ revision, compactRevision = revision }) => ({
        first: Math.max(1, Math.min(revision, compactRevision)),
        last: endOfCover(line, revision),
      })),
  );
  return mergeRanges(ranges);
}

/** Ranges that overlap or touch become one. */
export function mergeRanges(ranges: readonly RevisionRange[]): RevisionRange[] {
  const merged: RevisionRange[] = [];
  for (const range of [...ranges].sort((a, b) => a.first - b.first)) {
    const before = merged.at(-1);
    if (before !== undefined && range.first <= before.last + 1) {
      merged[merged.length - 1] = { first: before.first, last: Math.max(before.last, range.last) };
    } else merged.push({ first: range.first, last: range.last });
  }
  return merged;
}

/** The lines that existed at a moment, the newest first. */
export function linesAsOf<S extends PlannedStream>(
  streams: readonly S[],
  asOfMs: number,
): LogLine<S>[] {
  return logLines(streams.filter((stream) => startMs(stream) <= asOfMs));
}

function plansOfLine<B extends HistoryBase, S extends PlannedStream>(
  bases: readonly B[],
  line: LogLine<S>,
  revision: number,
): HistoryPlan<B, S>[] {
  const forward: HistoryPlan<B, S>[] = [];
  const back: HistoryPlan<B, S>[] = [];
  for (const base of bases) {
    if (base.revision > revision) {
      if (base.compactRevision === undefined || base.compactRevision <= revision) {
        back.push({ base, revision, log: [] });
      }
      continue;
    }
    const log = coveringSegments(line, base.revision, revision);
    if (log !== undefined) forward.push({ base, revision, log });
  }
  forward.sort((a, b) => b.base.revision - a.base.revision || b.base.takenMs - a.base.takenMs);
  back.sort((a, b) => a.base.revision - b.base.revision || b.base.takenMs - a.base.takenMs);
  const plans = [...forward, ...back];
  const doubtful = (plan: HistoryPlan<B, S>): boolean => isRepeated(plan.base, line, bases);
  return [...plans.filter((plan) => !doubtful(plan)), ...plans.filter(doubtful)];
}

/**
 * Whether revisions up to that of the base were made again later: by a stream that repeats some, or as a later base of a lower
 * revision shows. Then the base may be of an older line.
 */
function isRepeated(
  { revision, takenMs }: HistoryBase,
  { forks }: LogLine,
  bases: readonly HistoryBase[],
): boolean {
  return (
    forks.some((fork) => fork.revision <= revision && fork.atMs > takenMs) ||
    bases.some((later) => later.revision < revision && later.takenMs > takenMs)
  );
}

function isSame(a: HistoryPlan, b: HistoryPlan): boolean {
  return (
    a.base === b.base &&
    a.log.length === b.log.length &&
    a.log.every(({ stream, first }, i) => b.log[i]?.stream === stream && b.log[i]?.first === first)
  );
}
