/** Something that tells what it finds as it goes. */
export type Part<T> = (tell: (found: T) => void) => Promise<void>;

/** Runs parts at the same time and tells of them one after the other, each as far as it has come. */
export async function inOrder<T>(
  parts: readonly Part<T>[],
  tell: (found: T) => void,
): Promise<void> {
  const running = parts.map((part) => new RunningPart(part));
  try {
    for (const part of running) {
      part.letOut(tell);
      await part.done;
    }
  } finally {
    // Also those that are not waited for any more have something to remove.
    await Promise.allSettled(running.map(({ done }) => done));
  }
}

class RunningPart<T> {
  readonly done: Promise<void>;
  readonly #held: T[] = [];
  #tell: ((found: T) => void) | undefined;

  constructor(part: Part<T>) {
    this.done = part((found) => {
      if (this.#tell === undefined) this.#held.push(found);
      else this.#tell(found);
    });
    // Awaited later.
    this.done.catch(() => {});
  }

  letOut(tell: (found: T) => void): void {
    this.#tell = tell;
    for (const found of this.#held.splice(0)) tell(found);
  }
}
