import type { Period, PeriodName } from "./calendar.js";
import { type Evaluated, isFull, type PolicyRules } from "./evaluated.js";
import type { ExponentialPolicy } from "./policy.js";

const HOUR = 3600;

interface Tier {
  readonly period: PeriodName;
  /** Largest difference of the numbers of two periods, of the newest backup and of one that is kept. */
  readonly reach: number;
}

/**
 * The tiers of garbage collection in etcd-backup-restore (docs/usage/garbage_collection.md there): 24 hours, 7 days and
 * 4 weeks before the current hour, day and week. The number of an hour is in seconds, that of a week in days.
 */
const TIERS: readonly Tier[] = [
  { period: "hourly", reach: 24 * HOUR },
  { period: "daily", reach: 7 },
  { period: "weekly", reach: 4 * 7 },
];

/**
 * Ages are counted from the newest snapshot, not from the clock: while no backup is made, none gets too old. All full
 * backups of the last hour are kept, and the last of each hour, day and week of the tiers. Incrementals are kept over
 * the newest full backup, and up to an age over the others.
 */
export const exponential: PolicyRules<ExponentialPolicy> = function* (policy, snapshots, calendar) {
  const [newest] = snapshots;
  if (newest === undefined) return;
  const now = calendar.periodsOf(newest.time);
  const fulls = snapshots.filter(isFull);
  const last = new Map<PeriodName, number>();
  for (const one of fulls) {
    if (newest.time - one.time <= HOUR) {
      yield [one, { code: "last-hour", words: "within an hour of the newest" }];
    }
    const periods = calendar.periodsOf(one.time);
    for (const { period, reach } of TIERS) {
      const { number, label } = periods[period];
      const isLast = last.get(period) !== number;
      last.set(period, number);
      if (isLast && isWithin(now[period], number, reach)) {
        yield [one, { code: period, words: `${period} ${label}` }];
      }
    }
  }
  const incrementalsSince = newest.time - policy.incrementalsMs / 1000;
  for (const one of snapshots.filter((other) => !isFull(other))) {
    yield* incrementalReasons(one, fulls[0], incrementalsSince);
  }
};

function isWithin(now: Period, number: number, reach: number): boolean {
  return now.number - number <= reach;
}

function* incrementalReasons(
  one: Evaluated,
  newestFull: Evaluated | undefined,
  since: number,
): ReturnType<PolicyRules<ExponentialPolicy>> {
  if (one.full === newestFull?.id) {
    yield [one, { code: "incremental-of", words: "incremental of the newest full backup" }];
  }
  if (one.time >= since) yield [one, { code: "recent-incremental", words: "recent incremental" }];
}
