/** A stretch of the calendar that a time is in. */
export interface Period {
  /** Equal for two times exactly when they are in the same stretch; later ones have larger numbers. */
  readonly number: number;
  /** Such as `2026-11-28 13h` or `2026-W48`. */
  readonly label: string;
}

export type PeriodName = "hourly" | "daily" | "weekly" | "monthly" | "yearly";

/** The calendar of one time zone. Weeks begin on Monday, as in ISO 8601. */
export class Calendar {
  readonly #format: Intl.DateTimeFormat;
  readonly #read = new Map<number, Readonly<Record<PeriodName, Period>>>();

  /** @param timeZone a name of the IANA database, such as `Europe/Berlin` */
  constructor(timeZone: string) {
    this.#format = new Intl.DateTimeFormat("en-US", {
      timeZone,
      calendar: "gregory",
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
  }

  /** @param time seconds since 1970 */
  periodsOf(time: number): Readonly<Record<PeriodName, Period>> {
    const known = this.#read.get(time);
    if (known !== undefined) return known;
    const periods = this.#periodsOf(time);
    this.#read.set(time, periods);
    return periods;
  }

  #periodsOf(time: number): Readonly<Record<PeriodName, Period>> {
    const parts = new Map(
      this.#format.formatToParts(time * 1000).map(({ type, value }) => [type, Number(value)]),
    );
    const part = (name: Intl.DateTimeFormatPartTypes): number => parts.get(name) ?? 0;
    const [year, month, day, hour] = [part("year"), part("month"), part("day"), part("hour")];
    // Where clocks are set back, an hour of the day comes twice: its start tells them apart.
    const hourStart = time - part("minute") * 60 - part("second");
    const dayNumber = Date.UTC(year, month - 1, day) / DAY_MS;
    const date = `${year}-${two(month)}-${two(day)}`;
    return {
      hourly: { number: hourStart, label: `${date} ${two(hour)}h` },
      daily: { number: dayNumber, label: date },
      weekly: weekOf(dayNumber),
      monthly: { number: year * 12 + month - 1, label: `${year}-${two(month)}` },
      yearly: { number: year, label: String(year) },
    };
  }
}

const DAY_MS = 86_400_000;

/** A week has the number of its Monday, and its label the year of its Thursday. */
function weekOf(dayNumber: number): Period {
  // Day 0, 1 January 1970, was a Thursday.
  const monday = dayNumber - ((dayNumber + 3) % 7);
  const thursday = monday + 3;
  const year = new Date(thursday * DAY_MS).getUTCFullYear();
  const week = Math.floor((thursday - Date.UTC(year, 0, 1) / DAY_MS) / 7) + 1;
  return { number: monday, label: `${year}-W${two(week)}` };
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}
