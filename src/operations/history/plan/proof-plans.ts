import { isBeforeFork } from "./line-base.js";
import { deltaWith, type LogLine, logLines, type PlannedStream, startMs } from "./log-line.js";
import { type HistoryBase, type HistoryPlan, isSame, planRevision } from "./plan-history.js";

/**
 * What a raw snapshot is to be compared with: ways to its revision from raw snapshots before it, along the history that
 * etcd had when it was made. Streams that were begun later may repeat its revisions after a restore of etcd. There are two
 * ways where streams were begun while the backup was made: then one of them has to lead to it.
 *
 * @param before the raw snapshots that were complete by then
 */
export function proofPlans<B extends HistoryBase, S extends PlannedStream>(
  { revision, begunMs, takenMs }: HistoryBase,
  before: readonly B[],
  streams: readonly S[],
): HistoryPlan<B, S>[] {
  const begun = Math.min(begunMs, takenMs);
  const ways = [takenMs, begun].flatMap((ms) => {
    const known = streamsAt(streams, ms);
    const evidence = before.filter((one) => one.begunMs <= ms);
    const [line] = logLines(known, evidence);
    const plans = planRevision(before, known, revision, { evidence });
    return plans.find((one) => line !== undefined && leadsTo(one, line)) ?? [];
  });
  const [newest, other] = ways;
  return newest !== undefined && other !== undefined && isSame(newest, other) ? [newest] : ways;
}

/**
 * Whether etcd had come to a higher revision, by deltas that were seen before a raw snapshot was begun: then it was
 * restored to the past in between, and what it wrote since is in no delta.
 */
export function isAfterRestore(
  { revision, begunMs, takenMs, stream: own }: HistoryBase,
  streams: readonly PlannedStream[],
): boolean {
  const begun = Math.min(begunMs, takenMs);
  const known = streams.filter((one) => one.name.text !== own?.text && startMs(one) < begun);
  const [{ segments } = { segments: [] }] = logLines(known);
  const segment = segments.find(({ last }) => last > revision);
  if (segment === undefined) return false;
  const { stream, first } = segment;
  // No later than this, since names have seconds.
  return 1000 * deltaWith(stream, Math.max(revision + 1, first)).time + 999 < begun;
}

/** The streams that were begun by then, and later ones that go on where the log ends: a former leader had not stored that. */
function streamsAt<S extends PlannedStream>(streams: readonly S[], ms: number): S[] {
  const known = streams.filter((one) => startMs(one) <= ms);
  const later = streams
    .filter((one) => startMs(one) > ms)
    .sort((a, b) => a.name.time - b.name.time);
  let end = logLines(known)[0]?.segments.at(-1)?.last ?? 0;
  for (const one of later) {
    if (one.name.firstRevision <= end) break;
    known.push(one);
    end = one.runs.at(-1)?.last ?? end;
  }
  return known;
}

/** Whether a plan is along a line from an earlier revision of it. */
function leadsTo<S extends PlannedStream>(
  { base, revision, log }: HistoryPlan<HistoryBase, S>,
  line: LogLine<S>,
): boolean {
  // Without changes in between, nothing shows that the two are of one history.
  if (log.length === 0) return base.revision === revision && !isBeforeFork(base, line);
  return log.every(({ stream, first, last }) =>
    line.segments.some((one) => one.stream === stream && one.first <= first && last <= one.last),
  );
}
