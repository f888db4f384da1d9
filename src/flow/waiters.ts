/** Callers that wait for shared state to change. The one that changes it wakes all; each must check again. */
export class Waiters {
  #waiting: (() => void)[] = [];

  /** Resolves at the next `wakeAll`. */
  wait(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  wakeAll(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
