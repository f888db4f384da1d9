import { BackupToolError, InterruptedError } from "../../errors.js";
import type { OperationContext } from "../../operations/context.js";
import type { OperationEvent } from "../../operations/events.js";
import { logEvent } from "../event-log.js";
import { RecentFailures } from "../failures.js";
import { Lanes } from "../lanes.js";
import type { Log } from "../log.js";
import { type Failure, JOB_NAMES, type JobName } from "../status.js";
import { failureOf, Job, type JobOutcome } from "./job.js";

/** What a run of a job gets, beside its own options. */
export type JobContext = Omit<OperationContext, "passphrase">;

interface RunnerOptions {
  readonly log: Log;
  /** What an operation reports. */
  onEvent(job: JobName, event: OperationEvent): void;
  /** A run ended; undefined after a success. Not called for an interruption. */
  onEnded(job: JobName, failure: Failure | undefined, failuresInARow: number): void;
  changed(): void;
}

/** Runs jobs, and keeps their status and failures. */
export class JobRunner {
  readonly jobs: Readonly<Record<JobName, Job>>;
  readonly failures = new RecentFailures();
  readonly #options: RunnerOptions;
  readonly #lanes = new Lanes();

  constructor(options: RunnerOptions) {
    this.#options = options;
    const job = (name: JobName): [JobName, Job] => [name, new Job(name, options.changed)];
    // The type of entries cannot say that every job has one.
    this.jobs = Object.fromEntries(JOB_NAMES.map(job)) as Record<JobName, Job>;
  }

  isBusy(job: JobName): boolean {
    return this.#lanes.isBusy(job);
  }

  /** Begins a run. Its lane must be free. */
  begin(
    name: JobName,
    context: Omit<JobContext, "report">,
    work: (context: JobContext) => Promise<JobOutcome>,
  ): void {
    const report = (event: OperationEvent): void => {
      if (event.type === "progress") this.jobs[name].progress(event);
      else logEvent(this.#options.log, name, event);
      this.#options.onEvent(name, event);
    };
    this.#lanes.begin(name, () => this.#run(name, () => work({ ...context, report })));
  }

  /** A failure of the server itself, or of a job before it could run. */
  failed(failure: Failure): void {
    this.failures.add(failure);
    this.#options.log.error({ job: failure.job, code: failure.code }, failure.message);
    this.#options.changed();
  }

  /** Resolves when no job runs. */
  idle(): Promise<void> {
    return this.#lanes.idle();
  }

  async #run(name: JobName, work: () => Promise<JobOutcome>): Promise<void> {
    const { log, onEnded } = this.#options;
    const job = this.jobs[name];
    log.info({ job: name }, "Job begun");
    try {
      const { durationSeconds, at: _, ...outcome } = await job.run(work);
      log.info({ job: name, seconds: Math.round(durationSeconds), ...outcome }, "Job done");
      onEnded(name, undefined, 0);
    } catch (error) {
      if (error instanceof InterruptedError) {
        log.warn({ job: name }, `Job interrupted: ${error.message}`);
        return;
      }
      const failure = job.lastFailure ?? failureOf(name, error);
      this.failed(failure);
      // A fault of this program: the stack says where.
      if (!(error instanceof BackupToolError)) {
        log.error({ job: name, stack: error instanceof Error ? error.stack : undefined }, "Fault");
      }
      onEnded(name, failure, job.failuresInARow);
    }
  }
}
