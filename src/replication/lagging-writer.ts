import { MeteredStore } from "../snapstore/metered.js";
import type { SnapStore } from "../snapstore/store.js";
import { PartWriter, type PartWriterOptions } from "../snapstore/upload.js";

/** Bytes that wait for a store that is slower than the other one, of all files together. */
export class Lag {
  bytes = 0;
}

/** A file on its way to a store that nobody waits for: what is offered is copied into a queue. */
export class LaggingWriter {
  readonly #writer: PartWriter;
  readonly #lag: Lag;
  readonly #queue: Buffer[] = [];
  #pumping: Promise<void> | undefined;
  #failure: { error: unknown } | undefined;

  constructor(store: SnapStore, key: string, lag: Lag, options: PartWriterOptions) {
    this.#lag = lag;
    this.#writer = new PartWriter(store, key, options);
  }

  /** Throws what it has failed with. */
  offer(bytes: Uint8Array): void {
    if (this.#failure !== undefined) throw this.#failure.error;
    this.#queue.push(Buffer.from(bytes));
    this.#lag.bytes += bytes.length;
    this.#pumping ??= this.#pump();
  }

  async finish(sha256: string): Promise<void> {
    while (this.#pumping !== undefined) await this.#pumping;
    if (this.#failure !== undefined) throw this.#failure.error;
    await this.#writer.finish({ sha256 });
  }

  /** Never throws. */
  async abort(): Promise<void> {
    for (const bytes of this.#queue) this.#lag.bytes -= bytes.length;
    this.#queue.length = 0;
    await this.#writer.abort();
  }

  async #pump(): Promise<void> {
    try {
      for (let bytes = this.#queue.shift(); bytes !== undefined; bytes = this.#queue.shift()) {
        await this.#writer.write(bytes);
        this.#lag.bytes -= bytes.length;
      }
    } catch (error) {
      this.#failure = { error };
    } finally {
      this.#pumping = undefined;
    }
  }
}

/** Whether a store still gets anywhere: how long ago a call of it last succeeded. */
export class Liveliness {
  readonly store: MeteredStore;
  #seen = 0;
  #at = performance.now();

  constructor(store: SnapStore) {
    this.store = new MeteredStore(store);
  }

  /** Milliseconds since a call succeeded, seen by who asks often. */
  get silentMs(): number {
    const counts = Object.values(this.store.counts);
    const ended = counts.reduce(
      (sum, { milliseconds, bytesOut }) => sum + milliseconds + bytesOut,
      0,
    );
    if (ended !== this.#seen) {
      this.#seen = ended;
      this.#at = performance.now();
    }
    return performance.now() - this.#at;
  }
}
