import type { Part } from "../snapstore/parts/part.js";
import type { PartSender } from "../snapstore/parts/upload.js";

/** Bytes of all files that are queued for the secondary. */
export class Lag {
  bytes = 0;
}

/** Sends a file to a store without making the producer wait: parts are queued. */
export class LaggingSender {
  readonly #sender: PartSender;
  readonly #lag: Lag;
  readonly #queue: Part[] = [];
  #pumping: Promise<void> | undefined;
  #failure: { error: unknown } | undefined;

  constructor(sender: PartSender, lag: Lag) {
    this.#sender = sender;
    this.#lag = lag;
  }

  /** Takes ownership of the part. Throws the first failure. */
  offer(part: Part): void {
    if (this.#failure !== undefined) {
      part.release();
      throw this.#failure.error;
    }
    this.#queue.push(part);
    this.#lag.bytes += part.bytes.length;
    this.#pumping ??= this.#pump();
  }

  async finish(last: Part, sha256: string): Promise<void> {
    while (this.#pumping !== undefined) await this.#pumping;
    if (this.#failure !== undefined) throw this.#failure.error;
    await this.#sender.finish(last, { sha256 });
  }

  /** Never throws. */
  async abort(): Promise<void> {
    for (const part of this.#queue.splice(0)) {
      this.#lag.bytes -= part.bytes.length;
      part.release();
    }
    await this.#sender.abort();
  }

  async #pump(): Promise<void> {
    try {
      for (let part = this.#queue.shift(); part !== undefined; part = this.#queue.shift()) {
        const { length } = part.bytes;
        await this.#sender.send(part);
        this.#lag.bytes -= length;
      }
    } catch (error) {
      this.#failure = { error };
    } finally {
      this.#pumping = undefined;
    }
  }
}
