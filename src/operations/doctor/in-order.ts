/** Work that reports its findings one by one. */
export type Part<T> = (report: (found: T) => void) => Promise<void>;

/** Runs parts at the same time; reports their findings part by part, each as soon as possible. */
export async function inOrder<T>(
  parts: readonly Part<T>[],
  report: (found: T) => void,
): Promise<void> {
  const running = parts.map((part) => new RunningPart(part));
  try {
    for (const part of running) {
      part.forward(report);
      await part.done;
    }
  } finally {
    // After a failure too: the other parts have probes to remove.
    await Promise.allSettled(running.map(({ done }) => done));
  }
}

class RunningPart<T> {
  readonly done: Promise<void>;
  readonly #held: T[] = [];
  #report: ((found: T) => void) | undefined;

  constructor(part: Part<T>) {
    this.done = part((found) => {
      if (this.#report === undefined) this.#held.push(found);
      else this.#report(found);
    });
    // Awaited later.
    this.done.catch(() => {});
  }

  forward(report: (found: T) => void): void {
    this.#report = report;
    for (const found of this.#held.splice(0)) report(found);
  }
}
