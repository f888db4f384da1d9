import { isBeforeFork, isOutdated, type LogFork } from "./line-base.js";
import {
  endOfCover,
  isInLog,
  lastSeenAfter,
  type LogLine,
  logLines,
  type PlannedStream,
} from "./log-line.js";
import type { HistoryBase } from "./history-plan.js";

/** Clocks of two machines may differ by as much, ms. */
const CLOCKS_MS = 2000;

/** The revision that is taken for the newest. */
export interface NewestRevision<B extends HistoryBase = HistoryBase> {
  readonly revision: number;
  /** Bases of which names and times do not tell whether what they hold is newer. */
  readonly doubtful: readonly B[];
  /**
   * The last revision of the history before, where nothing but a raw snapshot shows that etcd was restored to its past;
   * undefined where that history has no later revision.
   */
  readonly undone?: number | undefined;
}

/**
 * The furthest revision that a base and the log after it reach in the newest line; undefined without a base. The time at which
 * a base was complete does not count: one with other contents takes longer.
 *
 * @param evidence all bases that are known, also those that cannot be used
 */
export function newestRevision<B extends HistoryBase>(
  bases: readonly B[],
  streams: readonly PlannedStream[],
  evidence: readonly HistoryBase[] = bases,
): NewestRevision<B> | undefined {
  const [line = { segments: [], forks: [] }, ...former] = logLines(streams, evidence);
  const current = currentBases(bases, line);
  if (current.length === 0) return undefined;
  const revision = Math.max(...current.map((base) => endOfCover(line, base.revision)));
  const doubtful = doubtfulBases(bases, line, revision);
  const undone = Math.max(0, ...former.map((one) => endOfUndone(one, streams, evidence)));
  return { revision, doubtful, ...(undone > revision && { undone }) };
}

/** Where a line ended that only a raw snapshot shows to be over; 0 where a stream has repeated it. */
function endOfUndone(
  { segments, untilMs }: Pick<LogLine, "segments" | "untilMs">,
  streams: readonly PlannedStream[],
  bases: readonly HistoryBase[],
): number {
  const end = Math.max(
    segments.at(-1)?.last ?? 0,
    ...bases.filter(({ takenMs }) => takenMs < untilMs).map(({ revision }) => revision),
  );
  const isRepeated = streams.some(
    ({ name, runs }) => 1000 * name.time >= untilMs && runs.length > 0 && name.firstRevision <= end,
  );
  return isRepeated ? 0 : end;
}

/** The bases of a line that may be of another state than a revision of it, and newer, for all that names and clocks tell. */
export function doubtfulBases<B extends HistoryBase>(
  bases: readonly B[],
  line: Pick<LogLine, "segments" | "forks">,
  revision: number,
): B[] {
  const current = currentBases(bases, line);
  return bases.filter((base) => {
    const upToMs = base.begunMs + CLOCKS_MS;
    if (isBeforeFork({ ...base, begunMs: upToMs }, line) || base.revision === revision)
      return false;
    if (base.revision > revision) return !isInLog(line, base.revision);
    const isEarlier = current.some(
      (other) => other.revision > base.revision && other.begunMs > upToMs,
    );
    return !isEarlier && (lastSeenAfter(line.segments, base.revision) ?? 0) < upToMs;
  });
}

/**
 * The bases that are not known to be of an earlier history: those in the log, whose changes are compared when it is read;
 * and of the others those that were begun after the last restore of etcd to the past that streams or other bases show.
 */
export function currentBases<B extends HistoryBase>(
  bases: readonly B[],
  line: Pick<LogLine, "segments"> & { readonly forks: readonly LogFork[] },
): B[] {
  const outside = bases.filter((base) => !isInLog(line, base.revision));
  const isOlder = (base: B): boolean =>
    isBeforeFork(base, line) || outside.some((other) => isOutdated(base, other));
  const older = new Set(outside.filter(isOlder));
  const current = bases.filter((base) => !older.has(base));
  return current.length > 0 ? current : [...bases];
}
