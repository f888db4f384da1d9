import type { ArchiveItem, ArchiveItems } from "../../archive/contents.js";
import type { Chunk } from "../../archive/seal/chunk-reader.js";

/** Takes the items of an ARCHIVE file one by one: within a batch without a promise, for thousands of small objects. */
export class ItemCursor {
  readonly #batches: AsyncIterator<ArchiveItems>;
  readonly #afterBatch: () => Promise<void>;
  #batch: ArchiveItems | undefined;
  #at = 0;

  /** @param afterBatch awaited when a batch is used up: the place to wait for writes, and to report */
  constructor(batches: AsyncIterable<ArchiveItems>, afterBatch: () => Promise<void>) {
    this.#batches = batches[Symbol.asyncIterator]();
    this.#afterBatch = afterBatch;
  }

  /** The chunk of the last item. */
  get chunk(): Chunk {
    if (this.#batch === undefined) throw new Error("no item was taken");
    return this.#batch.chunk;
  }

  /** Goes to the next batch, and releases the chunk of the last one; false at the end of the file. */
  async advance(): Promise<boolean> {
    if (this.#batch !== undefined) await this.#afterBatch();
    const next = await this.#batches.next();
    this.#batch = next.done ? undefined : next.value;
    this.#at = 0;
    return this.#batch !== undefined;
  }

  /** Takes the next item of the batch; undefined at its end. */
  take(): ArchiveItem | undefined {
    return this.#batch?.items[this.#at++];
  }

  /** Takes the next item, also of the next batch; undefined at the end of the file. */
  async next(): Promise<ArchiveItem | undefined> {
    for (;;) {
      const item = this.take();
      if (item !== undefined || !(await this.advance())) return item;
    }
  }

  async close(): Promise<void> {
    await this.#batches.return?.();
  }
}
