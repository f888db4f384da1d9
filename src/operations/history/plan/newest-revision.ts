import { isBeforeFork, isOutdated, isRestored, type LogFork } from "./line-base.js";
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
  const [line = { segments: [], forks: [] }, before] = logLines(streams, evidence);
  const current = currentBases(bases, line);
  if (current.length === 0) return undefined;
  const revision = Math.max(...current.map((base) => endOfCover(line, base.revision)));
  const doubtful = bases.filter((base) => {
    if (isBeforeFork(base, line) || base.revision === revision) return false;
    if (base.revision > revision) return !isInLog(line, base.revision);
    const higher = current.filter((other) => other.revision > base.revision);
    if (higher.some(({ begunMs }) => begunMs > base.begunMs + CLOCKS_MS)) return false;
    const seenMs = lastSeenAfter(line.segments, base.revision);
    if (seenMs !== undefined) return seenMs < base.begunMs + CLOCKS_MS;
    return higher.some((other) => isRestored(other, base));
  });
  const undone = before && endOfUndone(before, line, evidence);
  return { revision, doubtful, ...(undone !== undefined && undone > revision && { undone }) };
}

/** Where the line before ended, unless a stream of the newest line repeats it. */
function endOfUndone(
  before: Pick<LogLine, "segments" | "untilMs">,
  { segments }: Pick<LogLine, "segments">,
  bases: readonly HistoryBase[],
): number | undefined {
  const { untilMs } = before;
  const end = Math.max(
    before.segments.at(-1)?.last ?? 0,
    ...bases.filter(({ takenMs }) => takenMs < untilMs).map(({ revision }) => revision),
  );
  const isRepeated = segments.some(
    ({ stream: { name }, first }) => 1000 * name.time >= untilMs && first <= end,
  );
  return isRepeated ? undefined : end;
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
