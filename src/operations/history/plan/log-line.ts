import { isOutdated, type LineBase, type LogFork } from "./line-base.js";

/** What a plan needs to know of a stream of deltas. */
export interface PlannedStream {
  readonly name: { readonly text: string; readonly firstRevision: number; readonly time: number };
  /** Where its deltas follow each other without a gap, in order. */
  readonly runs: readonly LogRun[];
  readonly deltas: { at(index: number): LogDelta };
}

export interface LogRun {
  /** Place of the first delta. */
  readonly at: number;
  readonly count: number;
  readonly first: number;
  readonly last: number;
}

export interface LogDelta {
  readonly first: number;
  readonly last: number;
  /** When its last revision was seen, seconds since 1970. */
  readonly time: number;
}

/** Consecutive revisions that one stream holds. */
export interface LogSegment<S extends PlannedStream = PlannedStream> {
  readonly stream: S;
  readonly first: number;
  readonly last: number;
}

/**
 * One history of etcd. A restore of etcd to an earlier revision repeats revisions with other changes: what was recorded before
 * and after it is of two lines, which share what comes before.
 */
export interface LogLine<S extends PlannedStream = PlannedStream> {
  /** By revision, without overlaps; where streams overlap, the one that started later counts. */
  readonly segments: readonly LogSegment<S>[];
  /** When the next line begins, ms since 1970; infinite for the newest one. */
  readonly untilMs: number;
  /** Where revisions of earlier lines were repeated, the newest last. */
  readonly forks: readonly LogFork[];
}

/**
 * The lines of the log, the newest first; one without segments where there are no deltas. Streams are in the order of their
 * names: writers name each later than all that they know, also where the clock was set back. Times of deltas have no such
 * order.
 *
 * A stream that repeats revisions begins a line. So does a raw snapshot that lacks what had been seen before it was begun: etcd
 * was restored to its past, and nothing may have been written since.
 */
export function logLines<S extends PlannedStream>(
  streams: readonly S[],
  bases: readonly LineBase[] = [],
): LogLine<S>[] {
  const lines: LogLine<S>[] = [];
  let segments: LogSegment<S>[] = [];
  let forks: LogFork[] = [];
  /** Of the line, as far as they are known to be. */
  let before: LineBase[] = [];
  const fork = (revision: number, atMs: number): void => {
    lines.unshift({ segments, untilMs: atMs, forks });
    forks = [...forks, { revision, atMs }];
    segments = cutFrom(segments, revision);
    before = [];
  };
  for (const one of inOrder(streams, bases)) {
    if ("base" in one) {
      if (isBehind(one.base, segments, before)) fork(one.base.revision + 1, one.base.begunMs);
      before.push(one.base);
      continue;
    }
    const { stream } = one;
    const runs = stream.runs.map(({ first, last }) => ({ stream, first, last }));
    if (runs.length === 0) continue;
    const { firstRevision } = stream.name;
    if ((segments.at(-1)?.last ?? 0) >= firstRevision) {
      fork(firstRevision, 1000 * stream.name.time);
    }
    segments = [...cutFrom(segments, firstRevision), ...runs];
  }
  return [{ segments, untilMs: Number.POSITIVE_INFINITY, forks }, ...lines];
}

/** The lines that existed at a moment, the newest first. */
export function linesAsOf<S extends PlannedStream>(
  streams: readonly S[],
  bases: readonly LineBase[],
  asOfMs: number,
): LogLine<S>[] {
  return logLines(
    streams.filter((stream) => startMs(stream) <= asOfMs),
    bases.filter(({ begunMs }) => begunMs <= asOfMs),
  );
}

type Recorded<S> = { readonly stream: S } | { readonly base: LineBase };

/** By the times of names; a base before its own stream. */
function inOrder<S extends PlannedStream>(
  streams: readonly S[],
  bases: readonly LineBase[],
): Recorded<S>[] {
  const ordered: Recorded<S>[] = [];
  const waiting = [...bases].sort((a, b) => b.begunMs - a.begunMs || b.revision - a.revision);
  for (const stream of [...streams].sort(byName)) {
    for (let base = waiting.at(-1); base !== undefined; base = waiting.at(-1)) {
      if (base.begunMs > 1000 * stream.name.time) break;
      ordered.push({ base });
      waiting.pop();
    }
    ordered.push({ stream });
  }
  return [...ordered, ...waiting.reverse().map((base) => ({ base }))];
}

/** Whether a raw snapshot has less than a line had before it was begun. */
function isBehind(
  base: LineBase,
  segments: readonly LogSegment[],
  before: readonly LineBase[],
): boolean {
  const { revision, begunMs } = base;
  const seenMs = lastSeenAfter(segments, revision);
  if (seenMs !== undefined) return seenMs < begunMs;
  return before.some((other) => isOutdated(other, base));
}

/**
 * When the last revision after one was seen, ms since 1970: no later than this, since names have seconds. Undefined if no
 * segment has any.
 */
export function lastSeenAfter(
  segments: readonly LogSegment[],
  revision: number,
): number | undefined {
  let seenMs: number | undefined;
  for (const segment of segments) {
    if (segment.last <= revision) continue;
    seenMs = Math.max(seenMs ?? 0, 1000 * deltaWith(segment.stream, segment.last).time + 999);
  }
  return seenMs;
}

/** The delta of a stream with a revision. */
export function deltaWith(stream: PlannedStream, revision: number): LogDelta {
  const run = stream.runs.find(({ first, last }) => first <= revision && revision <= last);
  let [low, high] = run === undefined ? [0, 0] : [run.at, run.at + run.count - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (stream.deltas.at(middle).last < revision) low = middle + 1;
    else high = middle;
  }
  return stream.deltas.at(low);
}

/** When a stream was begun, ms since 1970. Its name can be ahead of the clock, and its first delta is not earlier. */
export function startMs({ name, runs: [first], deltas }: PlannedStream): number {
  return 1000 * Math.min(name.time, first === undefined ? name.time : deltas.at(first.at).time);
}

/** The segments that hold the revisions after `after` up to `upTo`; undefined where one of them is in none. */
export function coveringSegments<S extends PlannedStream>(
  { segments }: Pick<LogLine<S>, "segments">,
  after: number,
  upTo: number,
): LogSegment<S>[] | undefined {
  const covering: LogSegment<S>[] = [];
  let next = after + 1;
  for (const { stream, first, last } of segments) {
    if (next > upTo) break;
    if (last < next) continue;
    if (first > next) return undefined;
    covering.push({ stream, first: next, last: Math.min(last, upTo) });
    next = last + 1;
  }
  return next > upTo ? covering : undefined;
}

/** The last revision that the log holds without a gap after `after`; `after` itself where the next one is missing. */
export function endOfCover({ segments }: Pick<LogLine, "segments">, after: number): number {
  let end = after;
  for (const { first, last } of segments) {
    if (last <= end) continue;
    if (first > end + 1) break;
    end = last;
  }
  return end;
}

/** Whether the log holds a revision, or the one after it. */
export function isInLog({ segments }: Pick<LogLine, "segments">, revision: number): boolean {
  return segments.some(({ first, last }) => first - 1 <= revision && revision <= last);
}

/** Segments without what is at `revision` or after it. */
function cutFrom<S extends PlannedStream>(
  segments: readonly LogSegment<S>[],
  revision: number,
): LogSegment<S>[] {
  return segments
    .filter(({ first }) => first < revision)
    .map((segment) => (segment.last < revision ? segment : { ...segment, last: revision - 1 }));
}

function byName({ name: a }: PlannedStream, { name: b }: PlannedStream): number {
  return (
    a.time - b.time ||
    a.firstRevision - b.firstRevision ||
    (a.text < b.text ? -1 : Number(a.text > b.text))
  );
}
