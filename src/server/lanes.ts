import type { JobName } from "./status.js";

/** Jobs of one lane never run at the same time. */
const LANES: Readonly<Record<JobName, string>> = {
  full: "backup",
  incremental: "backup",
  sync: "sync",
  retention: "retention",
  verify: "verify",
};

/** The jobs in progress, one in each lane. */
export class Lanes {
  readonly #running = new Map<string, Promise<void>>();

  isBusy(job: JobName): boolean {
    return this.#running.has(LANES[job]);
  }

  /** Begins `work`, which must not throw. The lane must be free. */
  begin(job: JobName, work: () => Promise<void>): void {
    const lane = LANES[job];
    const run = work().finally(() => this.#running.delete(lane));
    this.#running.set(lane, run);
  }

  /** Resolves when no job is in progress. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running.values());
  }
}
