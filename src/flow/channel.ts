/** Hands items from a producer to a consumer, one at a time: `send` waits until the item was taken. */
export class Channel<T> implements AsyncIterable<T> {
  #item: { value: T } | undefined;
  #ended = false;
  #failure: { error: unknown } | undefined;
  #wake: (() => void)[] = [];

  /** Rejects when the consumer has failed. */
  async send(value: T): Promise<void> {
    while (this.#item !== undefined && this.#failure === undefined) await this.#changed();
    if (this.#failure !== undefined) throw this.#failure.error;
    this.#item = { value };
    this.#notify();
  }

  end(): void {
    this.#ended = true;
    this.#notify();
  }

  /** Makes the next `send`, and the iteration, throw `error`. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#notify();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, void> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure.error;
      if (this.#item !== undefined) {
        const { value } = this.#item;
        this.#item = undefined;
        this.#notify();
        yield value;
      } else if (this.#ended) {
        return;
      } else {
        await this.#changed();
      }
    }
  }

  #changed(): Promise<void> {
    return new Promise((resolve) => this.#wake.push(resolve));
  }

  #notify(): void {
    const wake = this.#wake;
    this.#wake = [];
    for (const resolve of wake) resolve();
  }
}
