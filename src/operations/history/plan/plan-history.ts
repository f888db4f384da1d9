import { isBeforeFork, isRestored, type LineBase } from "./line-base.js";
import { filledLine, type Unreadable } from "./filled-line.js";
import { livePlan } from "./live-plan.js";
import type { HistoryBase, HistoryPlan } from "./history-plan.js";
import {
  coveringSegments,
  endOfCover,
  linesAsOf,
  type LogLine,
  type LogSegment,
  type PlannedStream,
  logLines,
  startMs,
} from "./log-line.js";

export type { HistoryBase, HistoryPlan } from "./history-plan.js";

/** What of the log a plan is for. */
export interface PlanOptions {
  /** What was begun later counts for nothing, ms since 1970; default: all counts. */
  readonly asOfMs?: number | undefined;
  /** Only ways to the history that etcd has at that time, and not to one that a restore of etcd had ended. */
  readonly live?: boolean | undefined;
  /** All bases that are known, also those that cannot be used: they show what happened to etcd. Default: those to use. */
  readonly evidence?: readonly LineBase[] | undefined;
  /** What turned out to be damaged. */
  readonly unreadable?: readonly Unreadable[] | undefined;
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
  {
    asOfMs = Number.POSITIVE_INFINITY,
    live = false,
    evidence = bases,
    unreadable = [],
  }: PlanOptions = {},
): HistoryPlan<B, S>[] {
  const begun = streams.filter((stream) => startMs(stream) <= asOfMs);
  const lines = linesAsOf(streams, evidence, asOfMs);
  const plansOf = (of: readonly B[], line: LogLine<S>): HistoryPlan<B, S>[] =>
    plansOfLine(of, filledLine(line, begun, unreadable), revision).filter(
      ({ log: [first] }) =>
        // What fills a hole has to follow what comes before it in the log.
        first === undefined || line.segments.some((one) => isPartOf(first, one)),
    );
  const [newest] = lines;
  if (live) {
    if (newest === undefined) return [];
    const plans = plansOf(bases, newest);
    const filled = filledLine(newest, begun, unreadable);
    const known = plans.flatMap((plan) => livePlan(plan, filled, evidence, asOfMs) ?? []);
    return [...known.filter(({ proof }) => !proof), ...known.filter(({ proof }) => proof)];
  }
  const plans: HistoryPlan<B, S>[] = [];
  for (const line of lines) {
    const ofLine = bases.filter(({ takenMs }) => takenMs < line.untilMs);
    plans.push(...plansOf(ofLine, line));
  }
  return plans.filter((plan, i) => plans.findIndex((other) => isSame(plan, other)) === i);
}

/** All revisions that can be restored, as far as it is known. A base that was not opened counts for its own alone. */
export function restorableRanges(
  bases: readonly HistoryBase[],
  streams: readonly PlannedStream[],
  { evidence = bases, unreadable = [] }: Pick<PlanOptions, "evidence" | "unreadable"> = {},
): RevisionRange[] {
  const ranges = logLines(streams, evidence).flatMap((line) => {
    const readable = filledLine(line, streams, unreadable);
    return bases
      .filter(({ takenMs }) => takenMs < line.untilMs)
      .map(({ revision, compactRevision = revision }) => ({
        first: Math.max(1, Math.min(revision, compactRevision)),
        last: endOfCover(readable, revision),
      }));
  });
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

/** Whether revisions up to that of the base were made again later. Then the base may be of an older line. */
function isRepeated(base: HistoryBase, line: LogLine, bases: readonly HistoryBase[]): boolean {
  return isBeforeFork(base, line) || bases.some((other) => isRestored(base, other));
}

function isPartOf({ stream, first }: LogSegment, whole: LogSegment): boolean {
  return stream === whole.stream && whole.first <= first && first <= whole.last;
}

/** Whether two plans are of one base and the same streams. */
export function isSame(a: HistoryPlan, b: HistoryPlan): boolean {
  return (
    a.base === b.base &&
    a.log.length === b.log.length &&
    a.log.every(({ stream, first }, i) => b.log[i]?.stream === stream && b.log[i]?.first === first)
  );
}
