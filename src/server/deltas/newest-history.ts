import { type LogSegment, logLines } from "../../operations/history/plan/log-line.js";
import type { StoredStream } from "../../snapshots/streams/stored-stream.js";
import type { StreamName } from "../../snapshots/streams/stream-name.js";
import { baseBegunMs, type MergedStream } from "./merged-stream.js";
import { RevisionRanges } from "./revision-ranges.js";
import type { ListedLog } from "./site-log.js";

/** A complete backup with a raw snapshot. */
export interface ListedBase {
  readonly revision: number;
  /** From before etcd was read, ms since 1970. */
  readonly begunMs: number;
  /** When it was complete, ms since 1970. Between the two, etcd may have been restored to the past. */
  readonly takenMs: number;
}

export interface NewestHistory {
  readonly segments: readonly LogSegment<MergedStream>[];
  /** The streams that have a base of etcd somewhere, the newest first. */
  readonly withBase: readonly StreamName[];
}

/**
 * A stream with a base begins the log anew: its writer has not seen that etcd has what deltas before it say. Also one without
 * deltas shows that revisions after its base were repeated.
 */
export function newestHistory(merged: readonly MergedStream[]): NewestHistory {
  const [line] = logLines(merged);
  const withBase = merged
    .filter(({ beginsLog }) => beginsLog)
    .map(({ name }) => name)
    .sort((a, b) => b.time - a.time);
  const segments = (line?.segments ?? []).flatMap((segment) => {
    const { stream, first } = segment;
    const repeated = withBase
      .filter(({ time }) => time > stream.name.time)
      .map(({ firstRevision }) => firstRevision);
    const last = Math.min(segment.last, ...repeated.map((revision) => revision - 1));
    return first <= last ? [{ stream, first, last }] : [];
  });
  return { segments, withBase };
}

interface HeldBase {
  readonly revision: number;
  readonly begunMs: number;
  /** Name of the stream that it is the base of. */
  readonly stream?: string;
}

export interface HeldLog {
  readonly ranges: RevisionRanges;
  readonly bases: readonly HeldBase[];
}

/** What a site holds of the newest history, as far as names tell it. */
export function heldOf(
  listed: { readonly streams: readonly StoredStream[]; readonly bases: readonly ListedBase[] },
  { segments }: NewestHistory,
  merged: readonly MergedStream[],
): HeldLog {
  const { streams, bases } = listed;
  const ranges = new RevisionRanges();
  for (const { stream, first, last } of segments) {
    const here = streams.find(({ name }) => name.text === stream.name.text);
    for (const run of here?.runs ?? []) {
      ranges.add({ first: Math.max(first, run.first), last: Math.min(last, run.last) });
    }
  }
  // Its own stream begins with the next revision.
  const ofStreams = streams.flatMap(({ name, base }) =>
    base?.state === "complete"
      ? [{ revision: base.revision, begunMs: baseBegunMs({ name, base }), stream: name.text }]
      : [],
  );
  const fulls = bases.filter((base) => isInLog(base, segments));
  return {
    ranges,
    bases: [...fulls, ...ofStreams].filter((base) => !isOther(base, merged)),
  };
}

/** Without what needs a base that the site lacks: deltas before a stream with a base may not lead to it. */
export function restorablePart({ ranges, bases }: HeldLog, { withBase }: NewestHistory): ListedLog {
  let upTo = Number.POSITIVE_INFINITY;
  for (const stream of withBase) {
    if (bases.some((base) => isSince(base, stream))) break;
    upTo = Math.min(upTo, stream.firstRevision - 1);
  }
  const restorable = [...ranges]
    .map(({ first, last }) => ({ first, last: Math.min(last, upTo) }))
    .filter(({ first, last }) => first <= last);
  return { ranges: restorable, bases: bases.map(({ revision }) => revision) };
}

/** Whether a base is that of a stream, or later. */
function isSince(base: HeldBase, stream: StreamName): boolean {
  if (base.stream === stream.text) return true;
  return base.revision >= stream.firstRevision - 1 && isLater(base.begunMs, stream);
}

/**
 * Whether a base may be of an earlier history: a stream that was begun no earlier repeats its revision. In the same second,
 * nothing tells which was first.
 */
function isOther({ revision, begunMs }: HeldBase, merged: readonly MergedStream[]): boolean {
  return merged.some(
    ({ name, runs, beginsLog }) =>
      (beginsLog || runs.length > 0) && name.firstRevision <= revision && !isLater(begunMs, name),
  );
}

/**
 * Whether a full backup is known to be of the history that the log has: a stream begins right after it, since the writer had
 * compared them, or the log had its revision before the backup was complete.
 */
function isInLog(
  { revision, takenMs }: ListedBase,
  segments: readonly LogSegment<MergedStream>[],
): boolean {
  return segments.some(({ stream, first, last }) => {
    const { name, beginsLog } = stream;
    // The writer of a stream with a base has compared nothing.
    if (name.firstRevision === revision + 1) return !beginsLog && takenMs < (name.time + 1) * 1000;
    if (revision < first || revision > last) return false;
    const delta = stream.deltaOf(revision);
    return delta !== undefined && isLater(takenMs, delta);
  });
}

/** Whether a time is after a second. */
export function isLater(ms: number, { time }: { readonly time: number }): boolean {
  return ms >= (time + 1) * 1000;
}
