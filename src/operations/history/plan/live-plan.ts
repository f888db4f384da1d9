import { isRestored, type LineBase } from "./line-base.js";
import {
  endOfCover,
  linesAsOf,
  type LogLine,
  type LogSegment,
  type PlannedStream,
} from "./log-line.js";
import type { HistoryBase, HistoryPlan } from "./history-plan.js";

/**
 * A plan with the proof that it needs to be of the line that etcd had at a moment; undefined where there can be none. Of an
 * earlier line, the plan could end with changes that a restore of etcd had undone.
 */
export function livePlan<B extends HistoryBase, S extends PlannedStream>(
  plan: HistoryPlan<B, S>,
  line: LogLine<S>,
  evidence: readonly LineBase[],
  asOfMs: number,
): HistoryPlan<B, S> | undefined {
  const { base, revision, log } = plan;
  const forkMs = lastForkMs(line);
  const isLive = (stream: S): boolean => 1000 * stream.name.time >= forkMs;
  const end = log.at(-1);
  if (end !== undefined) {
    if (isLive(end.stream)) return plan;
    const next = holding(line, revision + 1, isLive);
    return next && { ...plan, proof: { kind: "next", segment: next } };
  }
  if (isOfLine(base, line, evidence, asOfMs)) return plan;
  // The last one that both have: etcd has compacted it last.
  const same = holding(line, Math.min(base.revision, endOfCover(line, revision - 1)), isLive);
  return same && same.first >= revision
    ? { ...plan, proof: { kind: "same", segment: same } }
    : undefined;
}

/** Whether a base was begun after the last restore of etcd before a moment, and complete at it. */
export function isOfMoment(
  base: LineBase,
  evidence: readonly LineBase[],
  streams: readonly PlannedStream[],
  asOfMs = Number.POSITIVE_INFINITY,
): boolean {
  const [line] = linesAsOf(streams, evidence, asOfMs);
  return line !== undefined && isOfLine(base, line, evidence, asOfMs);
}

function isOfLine(
  base: LineBase,
  line: Pick<LogLine, "forks">,
  evidence: readonly LineBase[],
  asOfMs: number,
): boolean {
  if (base.takenMs > asOfMs || base.begunMs < lastForkMs(line)) return false;
  return !evidence.some((other) => other.begunMs <= asOfMs && isRestored(base, other));
}

function lastForkMs({ forks }: Pick<LogLine, "forks">): number {
  return Math.max(0, ...forks.map(({ atMs }) => atMs));
}

/** One revision of a line, in a stream that may have it. */
function holding<S extends PlannedStream>(
  { segments }: LogLine<S>,
  revision: number,
  isLive: (stream: S) => boolean,
): LogSegment<S> | undefined {
  const segment = segments.find(({ first, last }) => first <= revision && revision <= last);
  if (segment === undefined || !isLive(segment.stream)) return undefined;
  return { stream: segment.stream, first: revision, last: revision };
}
