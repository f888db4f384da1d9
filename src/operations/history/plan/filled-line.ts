import { deltaWith, type LogLine, type LogSegment, type PlannedStream } from "./log-line.js";

/** A revision that cannot be read from a stream. */
export interface Unreadable {
  readonly stream: PlannedStream;
  readonly revision: number;
}

/** The revisions of a part of the log that cannot be read. */
export function unreadableIn(
  { stream, first, last }: LogSegment,
  unreadable: readonly Unreadable[],
): number[] {
  return unreadable
    .filter((one) => one.stream === stream && first <= one.revision && one.revision <= last)
    .map(({ revision }) => revision);
}

/**
 * A line without the deltas of a stream from a revision on that cannot be read; another stream that has the same revisions fills
 * the hole, as where two servers wrote them. That these are the same changes is checked where streams meet.
 */
export function filledLine<S extends PlannedStream>(
  line: LogLine<S>,
  streams: readonly S[],
  unreadable: readonly Unreadable[],
): LogLine<S> {
  if (unreadable.length === 0) return line;
  const newestFirst = [...streams].sort((a, b) => b.name.time - a.name.time);
  const filled = (segment: LogSegment<S>): LogSegment<S>[] => {
    const { stream, first, last } = segment;
    const bad = unreadableIn(segment, unreadable);
    if (bad.length === 0) return [segment];
    const from = Math.min(...bad);
    const upTo = Math.min(last, deltaWith(stream, from).last);
    const [filler] = newestFirst
      .filter(({ runs }) => runs.some((run) => run.first <= from && upTo <= run.last))
      .map((other) => ({ stream: other, first: from, last: upTo }))
      .filter((other) => other.stream !== stream && unreadableIn(other, unreadable).length === 0);
    return [
      ...(from > first ? [{ stream, first, last: from - 1 }] : []),
      ...(filler === undefined ? [] : [filler]),
      ...(upTo < last ? filled({ stream, first: upTo + 1, last }) : []),
    ];
  };
  return { ...line, segments: line.segments.flatMap(filled) };
}
