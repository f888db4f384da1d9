import { sliceNames } from "./name-batch.js";
import type { NameBatch } from "./types.js";

/** A queue of names from batches. Fetches the next batch in the background. */
export class NameQueue {
  readonly #batches: AsyncIterator<NameBatch>;
  readonly #onChange: () => void;
  readonly #onError: (error: unknown) => void;
  #batch: NameBatch | undefined;
  #taken = 0;
  #isFetching = false;
  #isAtEnd = false;

  /** @param onChange called when names, or their end, have arrived */
  constructor(
    batches: AsyncIterable<NameBatch>,
    onChange: () => void,
    onError: (error: unknown) => void,
  ) {
    this.#batches = batches[Symbol.asyncIterator]();
    this.#onChange = onChange;
    this.#onError = onError;
  }

  /** Whether all names were taken. */
  get isEnded(): boolean {
    return this.#isAtEnd && this.#batch === undefined;
  }

  /** Up to `count` names. Undefined when none have arrived; they are then fetched. */
  take(count: number): NameBatch | undefined {
    const batch = this.#batch;
    if (batch === undefined) {
      this.#fetch();
      return undefined;
    }
    const from = this.#taken;
    this.#taken = Math.min(from + count, batch.count);
    if (this.#taken === batch.count) this.#batch = undefined;
    return sliceNames(batch, from, this.#taken);
  }

  /** Stops the source of the names. */
  async close(): Promise<void> {
    await this.#batches.return?.();
  }

  #fetch(): void {
    if (this.#isAtEnd || this.#isFetching) return;
    this.#isFetching = true;
    this.#batches.next().then((next) => {
      this.#isFetching = false;
      if (next.done) this.#isAtEnd = true;
      else this.#batch = next.value;
      this.#taken = 0;
      this.#onChange();
    }, this.#onError);
  }
}
