import { BackupToolError, InterruptedError, errorMessage } from "../../errors.js";
import type { OperationEvent } from "../../operations/events.js";
import { siteOf } from "../site-failure.js";
import type { Failure, JobName, JobProgress, JobStatus, JobSuccess } from "../status.js";

/** What a run of a job leaves for its status. */
export type JobOutcome = Omit<JobSuccess, "at" | "durationSeconds">;

/** The failure of a job, with the site that caused it where that is known. */
export function failureOf(job: Failure["job"], error: unknown): Failure {
  const site = siteOf(error);
  const known = error instanceof BackupToolError;
  const message = errorMessage(error);
  return {
    at: new Date().toISOString(),
    job,
    ...(site !== undefined && { site }),
    code: known ? error.code : "OTHER",
    message,
  };
}

/** The state of one job. Its runs are begun elsewhere, one at a time. */
export class Job {
  readonly name: JobName;
  readonly #changed: () => void;
  #running: { readonly startedAt: Date; readonly begunMs: number } | undefined;
  #progress: JobProgress | undefined;
  #lastSuccess: JobSuccess | undefined;
  #lastFailure: Failure | undefined;
  #failuresInARow = 0;
  #nextAt: Date | undefined;
  #waiting = false;

  constructor(name: JobName, changed: () => void) {
    this.name = name;
    this.#changed = changed;
  }

  get running(): boolean {
    return this.#running !== undefined;
  }

  get failuresInARow(): number {
    return this.#failuresInARow;
  }

  get lastFailure(): Failure | undefined {
    return this.#lastFailure;
  }

  /** @param waiting due, but something else has to be ready first */
  plan(nextAt: Date | undefined, waiting: boolean): void {
    // A period is counted by another clock: its end moves by milliseconds.
    const rounded = nextAt && new Date(Math.round(nextAt.getTime() / 1000) * 1000);
    if (this.#nextAt?.getTime() === rounded?.getTime() && this.#waiting === waiting) return;
    this.#nextAt = rounded;
    this.#waiting = waiting;
    this.#changed();
  }

  /** Runs `work`, and remembers how it ended. An interruption is no failure. Throws what it throws. */
  async run(work: () => Promise<JobOutcome>): Promise<JobSuccess> {
    this.#running = { startedAt: new Date(), begunMs: performance.now() };
    const { begunMs } = this.#running;
    this.#changed();
    try {
      const outcome = await work();
      const durationSeconds = (performance.now() - begunMs) / 1000;
      this.#lastSuccess = { at: new Date().toISOString(), durationSeconds, ...outcome };
      this.#failuresInARow = 0;
      return this.#lastSuccess;
    } catch (error) {
      if (!(error instanceof InterruptedError)) {
        this.#lastFailure = failureOf(this.name, error);
        this.#failuresInARow++;
      }
      throw error;
    } finally {
      this.#running = undefined;
      this.#progress = undefined;
      this.#changed();
    }
  }

  /** Another server leads: its runs say how the job goes. */
  endTerm(): void {
    this.#failuresInARow = 0;
  }

  progress({ phase, done, total, unit, bytes }: Extract<OperationEvent, { type: "progress" }>) {
    this.#progress = { phase, done, total, unit, bytes };
    this.#changed();
  }

  status(): JobStatus {
    return {
      state: this.#state(),
      ...(this.#nextAt !== undefined && { nextAt: this.#nextAt.toISOString() }),
      ...(this.#running !== undefined && { startedAt: this.#running.startedAt.toISOString() }),
      ...(this.#progress !== undefined && { progress: this.#progress }),
      ...(this.#lastSuccess !== undefined && { lastSuccess: this.#lastSuccess }),
      ...(this.#lastFailure !== undefined && { lastFailure: this.#lastFailure }),
      failuresInARow: this.#failuresInARow,
    };
  }

  #state(): JobStatus["state"] {
    if (this.#running !== undefined) return "running";
    if (this.#waiting) return "waiting";
    return this.#failuresInARow > 0 ? "retrying" : "idle";
  }
}
