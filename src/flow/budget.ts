/** So much of something that several share: bytes of memory, files at the same time. First come, first served. */
export class Budget {
  readonly #total: number;
  #used = 0;
  readonly #waiting: { amount: number; resolve(): void }[] = [];

  constructor(total: number) {
    this.#total = total;
  }

  /** Waits until `amount` is free. More than there is in all is given once nothing else is taken. */
  take(amount: number): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ amount, resolve });
      this.#serve();
    });
  }

  giveBack(amount: number): void {
    this.#used -= amount;
    this.#serve();
  }

  #serve(): void {
    for (;;) {
      const [next] = this.#waiting;
      if (next === undefined) return;
      if (this.#used > 0 && this.#used + next.amount > this.#total) return;
      this.#waiting.shift();
      this.#used += next.amount;
      next.resolve();
    }
  }
}
