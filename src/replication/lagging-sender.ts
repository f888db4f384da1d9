import { StoreError } from "../snapstore/errors.js";
import { MeteredStore } from "../snapstore/metered.js";
import type { Part } from "../snapstore/part.js";
import type { SnapStore } from "../snapstore/store.js";
import type { PartSender } from "../snapstore/upload.js";

/** Bytes that may wait for a store that is slower than the other one. */
export const LAG_BYTES = 64 << 20;

/**
 * A file on its way to a store that nobody waits for: what is offered stands in a queue, and a store that
 * falls too far behind has failed.
 */
export class LaggingSender {
  readonly #sender: PartSender;
  readonly #store: SnapStore;
  readonly #queue: Part[] = [];
  #queued = 0;
  #pumping: Promise<void> | undefined;
  #failure: { error: unknown } | undefined;

  constructor(store: SnapStore, sender: PartSender) {
    this.#store = store;
    this.#sender = sender;
  }

  /** Takes the part over. Throws what it has failed with. */
  offer(part: Part): void {
    const { length } = part.bytes;
    try {
      if (this.#failure !== undefined) throw this.#failure.error;
      if (this.#queued + length > LAG_BYTES) {
        const message = `it fell ${LAG_BYTES >> 20} MiB behind the primary store`;
        throw new StoreError("STORE_FAILED", message, { store: this.#store.name });
      }
    } catch (error) {
      part.release();
      throw error;
    }
    this.#queue.push(part);
    this.#queued += length;
    this.#pumping ??= this.#pump();
  }

  async finish(last: Part, sha256: string): Promise<void> {
    while (this.#pumping !== undefined) await this.#pumping;
    if (this.#failure !== undefined) throw this.#failure.error;
    await this.#sender.finish(last, { sha256 });
  }

  /** Never throws. */
  async abort(): Promise<void> {
    for (const part of this.#queue.splice(0)) part.release();
    await this.#sender.abort();
  }

  async #pump(): Promise<void> {
    try {
      for (let part = this.#queue.shift(); part !== undefined; part = this.#queue.shift()) {
        const { length } = part.bytes;
        await this.#sender.send(part);
        this.#queued -= length;
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
