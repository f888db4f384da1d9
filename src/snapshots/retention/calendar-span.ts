/** A length of time by the calendar. */
export interface CalendarSpan {
  readonly years: number;
  readonly months: number;
  readonly days: number;
  readonly hours: number;
}

/** Larger numbers have no date before any backup. */
const MAX_NUMBER = 9999;

/**
 * A span such as `2y5m7d3h`, with the units of `restic forget --keep-within`: `m` is months. Undefined for anything
 * else.
 */
export function parseCalendarSpan(text: string): CalendarSpan | undefined {
  const match = /^(?:(\d+)y)?(?:(\d+)m)?(?:(\d+)d)?(?:(\d+)h)?$/.exec(text);
  if (match === null || text === "") return undefined;
  const [years = 0, months = 0, days = 0, hours = 0] = match
    .slice(1)
    .map((digits) => Number(digits ?? 0));
  if (Math.max(years, months, days, hours) > MAX_NUMBER) return undefined;
  return { years, months, days, hours };
}

export function formatCalendarSpan({ years, months, days, hours }: CalendarSpan): string {
  const parts = [`${years}y`, `${months}m`, `${days}d`, `${hours}h`];
  return parts.filter((part) => !part.startsWith("0")).join("") || "0h";
}

export function isEmptySpan({ years, months, days, hours }: CalendarSpan): boolean {
  return years + months + days + hours === 0;
}

/**
 * The time that is `span` before `time`, by the calendar in UTC. A day that the month does not have moves into the next
 * month, as in Go's `time.AddDate`, which restic uses: a month before 31 March is 3 March.
 *
 * @param time seconds since 1970
 */
export function beforeBy(time: number, { years, months, days, hours }: CalendarSpan): number {
  const from = new Date(time * 1000);
  const day = Date.UTC(
    from.getUTCFullYear() - years,
    from.getUTCMonth() - months,
    from.getUTCDate() - days,
    from.getUTCHours() - hours,
    from.getUTCMinutes(),
    from.getUTCSeconds(),
  );
  return day / 1000;
}
