import { InterruptedError, throwIfAborted } from "../errors.js";

/** An amount that several callers share: bytes of memory, files at the same time. First come, first served. */
export class Budget {
  readonly #total: number;
  #used = 0;
  readonly #waiting: { readonly amount: number; grant(): void }[] = [];

  constructor(total: number) {
    this.#total = total;
  }

  /**
   * Waits until `amount` is free. More than the total is granted once nothing else is taken.
   *
   * @throws InterruptedError when the signal aborts first: nothing is taken then
   */
  async take(amount: number, signal?: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    await new Promise<void>((resolve, reject) => {
      const leave = () => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        this.#grant();
        reject(new InterruptedError());
      };
      const grant = () => {
        signal?.removeEventListener("abort", leave);
        resolve();
      };
      const waiter = { amount, grant };
      signal?.addEventListener("abort", leave, { once: true });
      this.#waiting.push(waiter);
      this.#grant();
    });
  }

  giveBack(amount: number): void {
    this.#used -= amount;
    this.#grant();
  }

  #grant(): void {
    for (;;) {
      const [next] = this.#waiting;
      if (next === undefined) return;
      if (this.#used > 0 && this.#used + next.amount > this.#total) return;
      this.#waiting.shift();
      this.#used += next.amount;
      next.grant();
    }
  }
}
