import { Waiters } from "./waiters.js";

/** Hands items from a producer to a consumer, one at a time: `send` waits while an item is not taken yet. */
export class Channel<T> implements AsyncIterable<T> {
  readonly #changed = new Waiters();
  #item: { value: T } | undefined;
  #ended = false;
  #failure: { error: unknown } | undefined;

  /** Throws the error of `fail`. */
  async send(value: T): Promise<void> {
    while (this.#item !== undefined && this.#failure === undefined) await this.#changed.wait();
    if (this.#failure !== undefined) throw this.#failure.error;
    this.#item = { value };
    this.#changed.wakeAll();
  }

  end(): void {
    this.#ended = true;
    this.#changed.wakeAll();
  }

  /** Makes the next `send`, and the iteration, throw `error`. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#changed.wakeAll();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, void> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure.error;
      if (this.#item !== undefined) {
        const { value } = this.#item;
        this.#item = undefined;
        this.#changed.wakeAll();
        yield value;
      } else if (this.#ended) {
        return;
      } else {
        await this.#changed.wait();
      }
    }
  }
}
