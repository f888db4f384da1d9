import {
  coveringSegments,
  endOfCover,
  isInLog,
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
  /** All changes before are in it, unless it is of another history, ms since 1970. */
  readonly begunMs: number;
  /** No later change is in it, ms since 1970. */
  readonly takenMs: number;
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

/** The revision that is taken for the newest. */
export interface NewestRevision<B extends HistoryBase = HistoryBase> {
  readonly revision: number;
  /** Bases of which names and times do not tell whether what they hold is newer. */
  readonly doubtful: readonly B[];
}

/**
 * The furthest revision that a base and the log after it reach; undefined without a base. The time at which a base was
 * complete does not count: one with other contents takes longer, and one that merges deltas is of an earlier state.
 */
export function newestRevision<B extends HistoryBase>(
  bases: readonly B[],
  streams: readonly PlannedStream[],
): NewestRevision<B> | undefined {
  const [line = { segments: [], forks: [] }] = logLines(streams);
  const current = currentBases(bases, line);
  if (current.length === 0) return undefined;
  const revision = Math.max(...current.map((base) => endOfCover(line, base.revision)));
  const lastMs = Math.max(lastSeenMs(line), ...current.map(({ takenMs }) => takenMs));
  const doubtful = bases.filter((base) => {
    if (isInLog(line, base.revision) || isBeforeFork(base, line)) return false;
    return base.revision > revision || (base.revision < revision && base.begunMs >= lastMs);
  });
  return { revision, doubtful };
}

/**
 * The bases that are not known to be of an earlier history: those in the log, whose changes are compared when it is read;
 * and of the others those that were begun after the last restore of etcd to the past that streams or other bases show.
 */
export function currentBases<B extends HistoryBase>(
  bases: readonly B[],
  line: Pick<LogLine, "segments" | "forks">,
): B[] {
  const outside = bases.filter((base) => !isInLog(line, base.revision));
  const isOlder = (base: B): boolean =>
    isBeforeFork(base, line) || outside.some((other) => isOutdated(base, other));
  const older = new Set(outside.filter(isOlder));
  const current = bases.filter((base) => !older.has(base));
  return current.length > 0 ? current : [...bases];
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

/** Whether revisions up to that of the base were made again later. Then the base may be of an older line. */
function isRepeated(base: HistoryBase, line: LogLine, bases: readonly HistoryBase[]): boolean {
  return isBeforeFork(base, line) || bases.some((other) => isRestored(base, other));
}

/** Whether a stream that was begun later repeats revisions of the base. */
export function isBeforeFork(
  { revision, begunMs }: HistoryBase,
  { forks }: Pick<LogLine, "forks">,
): boolean {
  return forks.some((fork) => fork.revision <= revision && fork.atMs > begunMs);
}

/** Whether a base that was begun after this one was complete has a lower revision. Names can be ahead of the clock. */
function isRestored({ revision, begunMs, takenMs }: HistoryBase, later: HistoryBase): boolean {
  return later.revision < revision && later.begunMs > Math.max(begunMs, takenMs);
}

/** Likewise; the time of a backup does not count against the base of a stream, whose writer followed etcd. */
function isOutdated(base: HistoryBase, later: HistoryBase): boolean {
  return isRestored(base, later) && (base.stream === undefined || later.stream !== undefined);
}

/** When the last revision of a line was seen, ms since 1970. */
function lastSeenMs({ segments }: Pick<LogLine, "segments">): number {
  const { stream } = segments.at(-1) ?? {};
  const run = stream?.runs.at(-1);
  return run === undefined ? 0 : 1000 * (stream?.deltas.at(run.at + run.count - 1).time ?? 0);
}

/** Whether two plans are of one base and the same streams. */
export function isSame(a: HistoryPlan, b: HistoryPlan): boolean {
  return (
    a.base === b.base &&
    a.log.length === b.log.length &&
    a.log.every(({ stream, first }, i) => b.log[i]?.stream === stream && b.log[i]?.first === first)
  );
}
