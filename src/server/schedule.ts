import { Cron } from "croner";

/** The times that a pattern of cron gives, in a time zone. */
export class Schedule {
  readonly #cron: Cron | undefined;

  /** @param pattern undefined: never */
  constructor(pattern: string | undefined, timeZone: string) {
    this.#cron = pattern === undefined ? undefined : new Cron(pattern, { timezone: timeZone });
  }

  /** The first time after `date`; undefined for never. */
  after(date: Date): Date | undefined {
    return this.#cron?.nextRun(date) ?? undefined;
  }

  /**
   * When a run is due: at the first time after the last run, which has passed if runs were missed, and then once.
   * A last run in the future comes from a clock that was set back, and counts as now.
   */
  dueAfter(lastRun: Date, now: Date): Date | undefined {
    return this.after(lastRun > now ? now : lastRun);
  }
}
