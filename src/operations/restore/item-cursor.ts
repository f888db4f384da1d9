import type { ArchiveItem, ArchiveItems } from "../../archive/contents.js";
import type { Chunk } from "../../archive/seal/chunk-reader.js";

/** The items of an ARCHIVE file one at a time: within a batch without waiting, since small objects come by the thousand. */
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

  /** Of the item that was taken last. */
  get chunk(): Chunk {
    if (this.#batch === undefined) throw new Error("no item was taken");
    return this.#batch.chunk;
  }

  /** Goes on to the next batch; false at the end of the file. The chunk of the batch before is released. */
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

  /** Takes the next item, of the next batch where this one is at its end; undefined at the end of the file. */
  async next(): Promise<ArchiveItem | undefined> {
    for (;;) {
      const item = this.take();
      if (item !== undefined || !(await this.advance())) return item;
    }
  }

  /** Ends the reading. */
  async close(): Promise<void> {
    await this.#batches.return?.();
  }
}
