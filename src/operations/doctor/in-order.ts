import type { Check, ReportCheck } from "./check.js";

/** Makes all checks of one area. Throws only when it was interrupted. */
export type Area = (report: ReportCheck) => Promise<void>;

/** Runs areas at the same time and reports them one after the other, each as far as it has come. */
export async function inOrder(areas: readonly Area[], report: ReportCheck): Promise<void> {
  const running = areas.map((area) => new RunningArea(area));
  try {
    for (const area of running) {
      area.letOut(report);
      await area.done;
    }
  } finally {
    // Also those that are not waited for any more have something to remove.
    await Promise.allSettled(running.map(({ done }) => done));
  }
}

class RunningArea {
  readonly done: Promise<void>;
  readonly #held: Check[] = [];
  #report: ReportCheck | undefined;

  constructor(area: Area) {
    this.done = area((check) => {
      if (this.#report === undefined) this.#held.push(check);
      else this.#report(check);
    });
    // Awaited later.
    this.done.catch(() => {});
  }

  letOut(report: ReportCheck): void {
    this.#report = report;
    for (const check of this.#held.splice(0)) report(check);
  }
}
