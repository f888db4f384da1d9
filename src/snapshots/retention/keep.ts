import { beforeBy, formatCalendarSpan, isEmptySpan } from "./calendar-span.js";
import type { Calendar, PeriodName } from "./calendar.js";
import type { Evaluated, PolicyRules } from "./evaluated.js";
import type { KeepPolicy } from "./policy.js";

const PERIODS: readonly PeriodName[] = ["hourly", "daily", "weekly", "monthly", "yearly"];

type Kept = ReturnType<PolicyRules<KeepPolicy>>;

/**
 * The rules of `restic forget` (doc/060_forget.rst there). Each counts on its own, and a snapshot is kept if one of them
 * keeps it. Only periods that have a snapshot are counted.
 */
export const keep: PolicyRules<KeepPolicy> = function* (policy, snapshots, calendar) {
  for (const one of snapshots.slice(0, policy.last)) {
    const words = policy.last === Number.POSITIVE_INFINITY ? "all are kept" : `last ${policy.last}`;
    yield [one, { code: "last", words }];
  }
  for (const period of PERIODS) yield* lastOfEach(period, policy[period], snapshots, calendar);
  yield* within(policy, snapshots);
};

/** The last snapshot of each of `count` periods. While there are fewer periods, also the oldest snapshot of all. */
function* lastOfEach(
  period: PeriodName,
  count: number,
  snapshots: readonly Evaluated[],
  calendar: Calendar,
): Kept {
  let left = count;
  let before: number | undefined;
  for (const one of snapshots) {
    if (left === 0) return;
    const { number, label } = calendar.periodsOf(one.time)[period];
    if (number !== before) {
      left--;
      before = number;
      yield [one, { code: period, words: `${period} ${label}` }];
    } else if (one === snapshots.at(-1)) {
      yield [one, { code: "oldest", words: `oldest of fewer ${period} than wanted` }];
    }
  }
}

function* within({ within: span }: KeepPolicy, snapshots: readonly Evaluated[]): Kept {
  const [newest] = snapshots;
  if (newest === undefined || span === undefined || isEmptySpan(span)) return;
  const since = beforeBy(newest.time, span);
  const words = `within ${formatCalendarSpan(span)} of the newest`;
  for (const one of snapshots) if (one.time > since) yield [one, { code: "within", words }];
}
