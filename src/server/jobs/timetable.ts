import type { ServerOptions } from "../../settings/server-options.js";
import { Schedule } from "../schedule.js";
import type { JobName } from "../status.js";
import { backupDueAt, type NewestBackups, retryDelay } from "./due.js";

export type TimetableOptions = Pick<ServerOptions, "schedules" | "sync" | "retention">;

/** Jobs that run a period after their last run. */
type PeriodicJob = "sync" | "retention";

/**
 * When each job is due. Schedules follow the clock of the machine, and what the store holds; periods and the waits after
 * failures do not, since the clock may be set.
 */
export class Timetable {
  /** When a periodic job is due, by the monotonic clock, ms. */
  readonly #periodic = new Map<PeriodicJob, number>();
  /** When a periodic job was last asked for, and begun, by the monotonic clock, ms. */
  readonly #requested = new Map<JobName, number>();
  readonly #begun = new Map<JobName, number>();
  /** A failed job is not tried before, by the monotonic clock, ms. */
  readonly #notBefore = new Map<JobName, number>();
  #made: { full?: Date; any?: Date } = {};
  #verified: Date;

  /** @param verified when the stored data was read back last */
  constructor(verified: Date) {
    this.#verified = verified;
  }

  /** The time of the next run; undefined for never. It has passed where a run is due. */
  dueAt(job: JobName, options: TimetableOptions, listed: NewestBackups): Date | undefined {
    return this.#unlessFailed(job, this.#plannedAt(job, options, listed, new Date()));
  }

  /** A backup was made: it counts even where no listing shows it yet. */
  backupMade(kind: "full" | "incremental"): void {
    const now = new Date();
    this.#made = kind === "full" ? { full: now, any: now } : { ...this.#made, any: now };
  }

  verified(at: Date): void {
    this.#verified = at;
  }

  /** Makes a periodic job due at once. */
  request(job: PeriodicJob): void {
    const now = performance.now();
    this.#requested.set(job, now);
    this.#periodic.set(job, now);
    this.#notBefore.delete(job);
  }

  begun(job: JobName): void {
    this.#begun.set(job, performance.now());
  }

  /** @param failures in a row; 0 after a success */
  ended(job: JobName, options: TimetableOptions, failures: number): void {
    const now = performance.now();
    const { retryMs } = options.schedules;
    if (failures === 0) this.#notBefore.delete(job);
    else this.#notBefore.set(job, now + retryDelay(retryMs, failures));
    if (job !== "sync" && job !== "retention") return;
    const period = periodOf(job, options) ?? 0;
    // What was asked for since the run began may have come too late for it.
    const isAsked = (this.#requested.get(job) ?? 0) > (this.#begun.get(job) ?? 0);
    this.#periodic.set(job, failures === 0 && !isAsked ? now + period : now);
  }

  #plannedAt(
    job: JobName,
    options: TimetableOptions,
    listed: NewestBackups,
    now: Date,
  ): Date | undefined {
    const { schedules } = options;
    switch (job) {
      case "full":
      case "incremental": {
        const made = (at: Date | undefined) => (at !== undefined && at <= now ? at : undefined);
        const newest = {
          full: later(listed.full, made(this.#made.full)),
          any: later(listed.any, made(this.#made.any)),
        };
        return backupDueAt(job, schedules, newest, now);
      }
      case "verify":
        // From a clock that was set back since.
        if (this.#verified > now) this.#verified = now;
        return new Schedule(schedules.verify, schedules.timeZone).dueAfter(this.#verified, now);
      default: {
        const period = periodOf(job, options);
        if (period === undefined) return undefined;
        const due = this.#periodic.get(job) ?? performance.now() + period;
        this.#periodic.set(job, due);
        return fromMonotonic(due, now);
      }
    }
  }

  #unlessFailed(job: JobName, at: Date | undefined): Date | undefined {
    const limit = this.#notBefore.get(job);
    if (at === undefined || limit === undefined) return at;
    return later(at, fromMonotonic(limit, new Date()));
  }
}

function periodOf(job: PeriodicJob, options: TimetableOptions): number | undefined {
  return job === "sync" ? options.sync?.periodMs : options.retention.periodMs;
}

function fromMonotonic(ms: number, now: Date): Date {
  return new Date(now.getTime() + ms - performance.now());
}

function later(one: Date | undefined, other: Date | undefined): Date | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return one > other ? one : other;
}
