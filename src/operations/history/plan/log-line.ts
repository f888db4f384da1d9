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
 * One history of etcd. A restore of etcd to an earlier revision repeats revisions with other changes: the streams before and
 * after it are of two lines, which share what comes before.
 */
export interface LogLine<S extends PlannedStream = PlannedStream> {
  /** By revision, without overlaps; where streams overlap, the one that started later counts. */
  readonly segments: readonly LogSegment<S>[];
  /** Start of the stream that repeats revisions of this line, ms since 1970, by its name; infinite for the newest line. */
  readonly untilMs: number;
  /** Where streams of this line have repeated revisions of earlier ones. */
  readonly forks: readonly LogFork[];
}

export interface LogFork {
  /** The first revision that was repeated. */
  readonly revision: number;
  /** Start of the stream that did, ms since 1970, by its name. */
  readonly atMs: number;
}

/**
 * The lines of the log, the newest first; one without segments where there are no deltas. Streams are in the order of their
 * names: writers name each later than all that they know, also where the clock was set back. Times of deltas have no such order.
 */
export function logLines<S extends PlannedStream>(streams: readonly S[]): LogLine<S>[] {
  const lines: LogLine<S>[] = [];
  let segments: LogSegment<S>[] = [];
  let forks: LogFork[] = [];
  for (const stream of [...streams].sort(byName)) {
    const runs = stream.runs.map(({ first, last }) => ({ stream, first, last }));
    if (runs.length === 0) continue;
    const { firstRevision } = stream.name;
    const kept = cutFrom(segments, firstRevision);
    if ((segments.at(-1)?.last ?? 0) >= firstRevision) {
      const atMs = 1000 * stream.name.time;
      lines.unshift({ segments, untilMs: atMs, forks });
      forks = [...forks, { revision: firstRevision, atMs }];
    }
    segments = [...kept, ...runs];
  }
  return [{ segments, untilMs: Number.POSITIVE_INFINITY, forks }, ...lines];
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
