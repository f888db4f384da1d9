import type { Candidate } from "../../../src/snapshots/retention/candidate.js";
import type { RetentionPolicy } from "../../../src/snapshots/retention/policy.js";

/**
 * The names that retention keeps, as docs/snapstores.md has the rules: each snapshot is compared with all others, again
 * and again until nothing changes. Slow, and shares no code with the program.
 */
export function keptNames(
  all: readonly Candidate[],
  policy: RetentionPolicy,
  now: Date,
  timeZone: string,
): Set<string> {
  const shown = new ShownTimes(timeZone);
  const usable = all.filter(
    (one) =>
      canBeRestored(one, all) &&
      !inFuture(one, now) &&
      // One name of each backup, the newest.
      !all.some(
        (other) =>
          sameId(one, other) &&
          canBeRestored(other, all) &&
          !inFuture(other, now) &&
          isLater(other, one),
      ),
  );
  const kept = new Set(
    all.filter(
      (one) =>
        !canBeRestored(one, all) ||
        inFuture(one, now) ||
        one.held ||
        one.pinned ||
        one.foreign !== undefined ||
        (one.lockedUntil !== undefined && one.lockedUntil > now) ||
        (usable.includes(one) &&
          (isNewest(one, usable) || isWanted(one, usable, policy, shown, all))),
    ),
  );
  for (let before = -1; before !== kept.size; ) {
    before = kept.size;
    for (const one of all) {
      if ([...kept].some((by) => needs(by, one) || sameId(by, one))) kept.add(one);
    }
  }
  return new Set([...kept].map(({ name }) => name.text));
}

/** Whether `one` is complete and each base below it is there; `seen` ends a cycle. */
export function canBeRestored(
  one: Candidate,
  all: readonly Candidate[],
  seen: readonly Candidate[] = [],
): boolean {
  if (one.state !== "complete" || one.facts === undefined || seen.includes(one)) return false;
  if (one.facts.base === null) return true;
  return basesOf(one, all).some((base) => canBeRestored(base, all, [...seen, one]));
}

function basesOf(one: Candidate, all: readonly Candidate[]): Candidate[] {
  return all.filter((other) => one.facts?.base != null && other.facts?.id === one.facts.base);
}

function inFuture(one: Candidate, now: Date): boolean {
  return new Date(one.name.time * 1000) > now;
}

function sameId(one: Candidate, other: Candidate): boolean {
  return one !== other && one.facts !== undefined && one.facts.id === other.facts?.id;
}

/** In the order of times, then of revisions; a full backup before an incremental. */
function isLater(one: Candidate, other: Candidate): boolean {
  const order = ({ name }: Candidate): (number | string)[] => [
    name.time,
    name.lastRevision,
    name.firstRevision,
    name.kind === "full" ? 0 : 1,
    name.text,
  ];
  const [a, b] = [order(one), order(other)];
  const at = a.findIndex((value, i) => value !== b[i]);
  return at >= 0 && (a[at] ?? 0) > (b[at] ?? 0);
}

function isNewest(one: Candidate, usable: readonly Candidate[]): boolean {
  return !usable.some((other) => isLater(other, one));
}

function needs(by: Candidate, one: Candidate): boolean {
  if (by.facts !== undefined) return by.facts.base !== null && by.facts.base === one.facts?.id;
  const mayStillBeRead = by.state === "damaged" || by.inProgress;
  const { firstRevision: first, lastRevision: last, time, kind } = by.name;
  return (
    mayStillBeRead &&
    kind === "incremental" &&
    one.facts !== undefined &&
    one.name.time <= time &&
    (first === 0 || first === last || one.name.lastRevision < first)
  );
}

/** The full backup of a chain. */
function fullOf(one: Candidate, all: readonly Candidate[]): string | undefined {
  for (let at: Candidate | undefined = one; at !== undefined; ) {
    if (at.facts?.base === null) return at.facts.id;
    at = basesOf(at, all).find((base) => canBeRestored(base, all));
  }
  return undefined;
}

function isWanted(
  one: Candidate,
  usable: readonly Candidate[],
  policy: RetentionPolicy,
  shown: ShownTimes,
  all: readonly Candidate[],
): boolean {
  const newest = usable.find((other) => isNewest(other, usable)) ?? one;
  const fulls = usable.filter(({ facts }) => facts?.base === null);
  const ageMs = (newest.name.time - one.name.time) * 1000;
  const laterOf = (list: readonly Candidate[]): Candidate[] =>
    list.filter((other) => isLater(other, one));
  switch (policy.kind) {
    case "exponential": {
      if (one.facts?.base !== null) {
        const newestFull = fulls.find((other) => isNewest(other, fulls));
        return fullOf(one, all) === newestFull?.facts?.id || ageMs <= policy.incrementalsMs;
      }
      const [at, last] = [shown.of(one.name.time), shown.of(newest.name.time)];
      const later = laterOf(fulls).map(({ name }) => shown.of(name.time));
      return (
        ageMs <= 3600_000 ||
        (last.hour - at.hour <= 24 * 3600 && !later.some(({ hour }) => hour === at.hour)) ||
        (daysBetween(at.day, last.day) <= 7 && !later.some(({ day }) => day === at.day)) ||
        (daysBetween(at.monday, last.monday) <= 28 &&
          !later.some(({ monday }) => monday === at.monday))
      );
    }
    case "limit-based": {
      const full = fulls.find(({ facts }) => facts?.id === fullOf(one, all));
      const newer = fulls.filter((other) => full !== undefined && isLater(other, full));
      return full !== undefined && newer.length < policy.maxBackups;
    }
    case "keep": {
      const later = laterOf(usable);
      if (later.length < policy.last) return true;
      const { days = 0, hours = 0 } = policy.within ?? {};
      const withinMs = (days * 24 + hours) * 3600_000;
      if (withinMs > 0 && ageMs < withinMs) return true;
      const isOldest = later.length === usable.length - 1;
      return (
        [
          ["hour", policy.hourly],
          ["day", policy.daily],
          ["monday", policy.weekly],
          ["month", policy.monthly],
          ["year", policy.yearly],
        ] as const
      ).some(([period, count]) => {
        const at = shown.of(one.name.time)[period];
        const periods = new Set(later.map(({ name }) => shown.of(name.time)[period]));
        return periods.size < count && (!periods.has(at) || isOldest);
      });
    }
  }
}

function daysBetween(one: string, other: string): number {
  return (Date.parse(other) - Date.parse(one)) / 86_400_000;
}

interface ShownTime {
  /** Start of the hour, seconds since 1970. */
  readonly hour: number;
  readonly day: string;
  readonly monday: string;
  readonly month: string;
  readonly year: string;
}

/** What a clock on the wall of a time zone shows. */
class ShownTimes {
  readonly #format: Intl.DateTimeFormat;

  constructor(timeZone: string) {
    // Swedish dates are those of ISO 8601.
    this.#format = new Intl.DateTimeFormat("sv-SE", {
      timeZone,
      dateStyle: "short",
      timeStyle: "medium",
    });
  }

  of(time: number): ShownTime {
    const text = this.#format.format(new Date(time * 1000));
    const day = text.slice(0, 10);
    const monday = new Date(day);
    while (monday.getUTCDay() !== 1) monday.setUTCDate(monday.getUTCDate() - 1);
    const [, minutes = 0, seconds = 0] = text.slice(11).split(":").map(Number);
    return {
      hour: time - minutes * 60 - seconds,
      day,
      monday: monday.toISOString().slice(0, 10),
      month: text.slice(0, 7),
      year: text.slice(0, 4),
    };
  }
}
