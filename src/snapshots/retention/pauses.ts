import { isEmptySpan } from "./calendar-span.js";
import type { Candidate } from "./candidate.js";
import { type Decision, decide } from "./decide.js";
import type { KeepCounts, RetentionPolicy } from "./policy.js";

const DAY = 86_400;
/** Shorter outages are common, and cost little. */
const SHORTEST_PAUSE = 4 * DAY;

/** A long time without a backup, because of which most of what is older would go. */
export interface Pause {
  /** Names of the snapshots before and after it. */
  readonly before: string;
  readonly after: string;
  /** How many complete snapshots before it would stay if it were short, and how many of them go. */
  readonly stays: number;
  readonly lost: number;
}

/**
 * Finds a pause that alone makes more than half of the snapshots before it go, and more than one. Ages are counted from
 * the newest snapshot, so one that a wrong clock named weeks ahead makes all others old, and so does the first one
 * after an outage: names do not tell which it was. A pause is longer than four days and than twice the usual time
 * between two backups; to see what would go without, it is shortened to a day, or to the usual time if that is longer.
 *
 * @param decisions of {@link decide}, by the same policy, time and time zone
 */
export function costlyPause(
  decisions: readonly Decision[],
  policy: RetentionPolicy,
  now: Date,
  timeZone: string,
): Pause | undefined {
  const byAge = rulesByAge(policy);
  const doomed = decisions.filter(({ keep }) => !keep).length;
  if (byAge === undefined || doomed < 2) return undefined;
  const all = decisions.map(({ snapshot }) => snapshot);
  const past = all.filter(({ name }) => name.time * 1000 <= now.getTime());
  const usual = usualTime(past);
  const longest = Math.max(SHORTEST_PAUSE, 2 * usual);
  const isPause = (seconds: number): boolean => seconds > longest;
  const shortened = withoutPauses(all, past, { isPause, left: Math.max(DAY, usual) });
  const kept = new Set(decisions.filter(({ keep }) => keep).map(({ snapshot }) => snapshot));
  const staying = new Set(
    decide(shortened, byAge, now, timeZone)
      .filter(({ keep }) => keep)
      .map(({ snapshot }) => snapshot.name.text),
  );
  let stays = 0;
  let lost = 0;
  for (const [i, one] of past.entries()) {
    if (one.state === "complete" && staying.has(one.name.text)) {
      stays++;
      if (!kept.has(one)) lost++;
    }
    const next = past[i + 1]?.name;
    if (next === undefined || !isPause(next.time - one.name.time)) continue;
    if (lost > 1 && lost * 2 > stays) {
      return { before: one.name.text, after: next.text, stays, lost };
    }
  }
  return undefined;
}

/** The rules of a policy by which a snapshot gets too old. To those that count snapshots or periods, a pause is nothing. */
function rulesByAge(policy: RetentionPolicy): RetentionPolicy | undefined {
  switch (policy.kind) {
    case "exponential":
      return policy;
    case "limit-based":
      return undefined;
    case "keep": {
      const { within } = policy;
      if (within === undefined || isEmptySpan(within)) return undefined;
      return { kind: "keep", ...NO_COUNTS, within };
    }
  }
}

const NO_COUNTS: KeepCounts = { last: 0, hourly: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0 };

/** The median of the times between two backups, seconds. */
function usualTime(past: readonly Candidate[]): number {
  const times = past.filter(({ state }) => state === "complete").map(({ name }) => name.time);
  const between = times.slice(1).map((time, i) => time - (times[i] ?? time));
  // Of an even number the shorter one: of two, the other may be a pause.
  return between.sort((a, b) => a - b)[(between.length - 1) >> 1] ?? 0;
}

/** The same snapshots in the same order, with earlier times. Those from the future keep theirs, which is later still. */
function withoutPauses(
  all: readonly Candidate[],
  past: readonly Candidate[],
  { isPause, left }: { readonly isPause: (seconds: number) => boolean; readonly left: number },
): Candidate[] {
  const times = new Map<string, number>();
  let cut = 0;
  for (const [i, { name }] of past.entries()) {
    const since = name.time - (past[i - 1]?.name.time ?? name.time);
    // Whole days: the time of the day decides which snapshot is the last of its day.
    if (isPause(since)) cut += Math.floor((since - left) / DAY) * DAY;
    times.set(name.text, name.time - cut);
  }
  return all.map((one) => {
    const time = times.get(one.name.text) ?? one.name.time;
    return { ...one, name: { ...one.name, time } };
  });
}
