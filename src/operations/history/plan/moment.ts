import {
  type LogDelta,
  type LogLine,
  type LogSegment,
  type PlannedStream,
  linesAsOf,
  logLines,
  startMs,
} from "./log-line.js";
import { isBeforeFork, type LogFork } from "./line-base.js";
import { currentBases } from "./newest-revision.js";
import type { HistoryBase } from "./history-plan.js";

/** What the names of bases and deltas tell of a moment. */
export interface Moment<S extends PlannedStream = PlannedStream> {
  /** The last revision that is known to be of that moment or before it; undefined where none is. */
  readonly least: number | undefined;
  /**
   * The revisions after it, in order, whose time has to be read: the state at that moment ends where one was seen after it.
   */
  readonly reading: readonly LogSegment<S>[];
  /**
   * What is known after {@link reading} if all of it was seen by then: no revision; some that nothing dates, since a delta is
   * missing; or that etcd was restored to an earlier revision, at an unknown time before the next record of it.
   */
  readonly next: "nothing" | "undated" | "restored";
}

/**
 * The revision of etcd at a moment, ms since 1970, as far as names tell it: a delta's has the second of its last revision.
 *
 * @param evidence all bases that are known, also those that cannot be used
 */
export function findMoment<S extends PlannedStream>(
  bases: readonly HistoryBase[],
  streams: readonly S[],
  timeMs: number,
  evidence: readonly HistoryBase[] = bases,
): Moment<S> {
  const [line = { segments: [], forks: [] }] = linesAsOf(streams, evidence, timeMs);
  const least = lastBefore(bases, line, timeMs);
  const reading: LogSegment<S>[] = [];
  let next = least === undefined ? line.segments[0]?.first : least + 1;
  let decided = false;
  for (const { stream, first, last } of line.segments) {
    if (next === undefined || decided || first > next) break;
    if (last < next) continue;
    const upTo = endOfDoubt({ stream, first: next, last }, timeMs);
    decided = upTo !== undefined;
    reading.push({ stream, first: next, last: upTo ?? last });
    next = last + 1;
  }
  const end = reading.at(-1)?.last ?? least ?? 0;
  return {
    least,
    reading,
    next: decided ? "nothing" : after(end, line, evidence, streams, timeMs),
  };
}

/** The highest revision of the bases that were complete at the moment, or of a later delta that was seen before it. */
function lastBefore(
  bases: readonly HistoryBase[],
  line: Pick<LogLine, "segments" | "forks">,
  timeMs: number,
): number | undefined {
  const complete = bases.filter(({ takenMs }) => takenMs <= timeMs);
  const ofLine = complete.filter((base) => !isBeforeFork(base, line));
  let last: number | undefined;
  for (const { revision } of currentBases(ofLine, line)) last = Math.max(last ?? 0, revision);
  for (const segment of line.segments) {
    for (const delta of deltasOf(segment)) {
      if (delta.time * 1000 + 999 > timeMs) return last;
      last = Math.max(last ?? 0, Math.min(delta.last, segment.last));
    }
  }
  return last;
}

/** The last revision of the first delta that ends after the moment: it can begin before. Undefined where none does. */
function endOfDoubt(segment: LogSegment, timeMs: number): number | undefined {
  for (const { last, time } of deltasOf(segment)) {
    if (time * 1000 > timeMs) return Math.min(last, segment.last);
  }
  return undefined;
}

/** The deltas that hold revisions of a segment, in order. */
function* deltasOf({ stream, first, last }: LogSegment): Generator<LogDelta> {
  for (const run of stream.runs) {
    if (run.last < first || run.first > last) continue;
    for (let i = 0; i < run.count; i++) {
      const delta = stream.deltas.at(run.at + i);
      if (delta.last >= first && delta.first <= last) yield delta;
    }
  }
}

/** What records of after a moment, and what follows a gap in its line, tell of what came after a revision. */
function after(
  revision: number,
  line: Pick<LogLine, "segments" | "forks">,
  bases: readonly HistoryBase[],
  streams: readonly PlannedStream[],
  timeMs: number,
): Moment["next"] {
  const [{ forks } = { forks: [] }] = logLines(streams, bases);
  const isKnown = (fork: LogFork): boolean =>
    line.forks.some((one) => one.revision === fork.revision && one.atMs === fork.atMs);
  if (forks.some((fork) => fork.revision <= revision && fork.atMs > timeMs && !isKnown(fork))) {
    return "restored";
  }
  const isUndated =
    (line.segments.at(-1)?.last ?? 0) > revision ||
    bases.some((base) => base.takenMs > timeMs && base.revision > revision) ||
    streams.some((one) => startMs(one) > timeMs && (one.runs.at(-1)?.last ?? 0) > revision);
  return isUndated ? "undated" : "nothing";
}
