import { setMaxListeners } from "node:events";
import { InterruptedError } from "../../errors.js";
import { CallWindow } from "../../flow/call-window.js";
import { StoreError } from "../errors.js";
import { type Part, PartSplitter } from "./part.js";
import { partSize } from "./part-size.js";
import type { SnapStore, StoreUpload, UploadOptions } from "../store.js";

const PART_BYTES = 5 << 20;
const PARALLEL_PARTS = 5;

export interface PartWriterOptions {
  /** Minimum size of a part, bytes; default: {@link PART_BYTES}. */
  readonly partBytes?: number | undefined;
  /** Parts in flight; default: {@link PARALLEL_PARTS}. */
  readonly parallel?: number | undefined;
  /** Upper bound of the size of the object, by which the parts are made large enough. */
  readonly expectedBytes?: number | undefined;
  readonly ifAbsent?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Nothing is sent before it resolves. If it rejects, the upload fails with that error. */
  readonly ready?: Promise<void> | undefined;
}

/**
 * Sends an object in parts of equal size; a single part is stored with `put`. Calls of `send` and `finish` must not
 * overlap. After a failure every call throws it; `abort` cleans up.
 */
export class PartSender {
  readonly #store: SnapStore;
  readonly #key: string;
  readonly #options: PartWriterOptions;
  readonly #partBytes: number;
  /** Aborted with the first failure. */
  readonly #stop = new AbortController();
  readonly #inFlight: CallWindow;
  #parts = 0;
  #size = 0;
  #upload: Promise<StoreUpload> | undefined;

  /** @param partBytes of every part but the last */
  constructor(
    store: SnapStore,
    key: string,
    partBytes: number,
    options: Omit<PartWriterOptions, "partBytes" | "expectedBytes"> = {},
  ) {
    const { parallel = PARALLEL_PARTS, signal } = options;
    this.#store = store;
    this.#key = key;
    this.#options = options;
    this.#partBytes = partBytes;
    this.#inFlight = new CallWindow(store.capabilities.parallelParts ? parallel : 1);
    // Each part in flight adds a listener.
    setMaxListeners(0, this.#stop.signal);
    if (signal?.aborted) this.#interrupt();
    signal?.addEventListener("abort", this.#interrupt, { once: true });
  }

  /** Throws the first failure, if there was one. */
  throwFailure(): void {
    this.#inFlight.throwFailure();
  }

  /** Takes ownership of the part. Waits for room, and resolves once the part is in flight. */
  async send(part: Part): Promise<void> {
    try {
      await this.#begin(part);
    } catch (error) {
      part.release();
      throw error;
    }
  }

  /** Sends the last part and makes the object appear. Returns its size in bytes. */
  async finish(last: Part, { sha256 }: { sha256: string }): Promise<number> {
    const { ifAbsent } = this.#options;
    const { signal } = this.#stop;
    if (this.#parts === 0) {
      this.throwFailure();
      this.#size = last.bytes.length;
      await this.#orFail(async () => {
        await this.#options.ready;
        await this.#store.put(this.#key, last.bytes, { ifAbsent, signal });
      });
      last.release();
    } else {
      await this.send(last);
      await this.#inFlight.drain();
      const facts = { parts: this.#parts, size: this.#size, sha256 };
      await this.#orFail(async () => (await this.#upload)?.complete(facts, signal));
    }
    this.#end();
    return this.#size;
  }

  /** Abandons the object and removes its parts. Never throws. */
  async abort(): Promise<void> {
    this.#fail(new InterruptedError());
    await this.#inFlight.settled();
    const upload = await this.#upload?.catch(() => undefined);
    await upload?.abort();
    this.#end();
  }

  async #begin(part: Part): Promise<void> {
    this.throwFailure();
    const partBytes = this.#partBytes;
    const { signal } = this.#stop;
    if (this.#parts === this.#store.capabilities.maxParts) {
      const message = `${this.#key}: more than ${this.#parts} parts of ${partBytes} bytes`;
      this.#fail(new StoreError("STORE_FAILED", message, { store: this.#store.name }));
    }
    await this.#inFlight.room();
    this.#upload ??= this.#start({ partBytes, ifAbsent: this.#options.ifAbsent, signal });
    const upload = await this.#orFail(() => this.#upload as Promise<StoreUpload>);
    this.throwFailure();
    const number = this.#parts++;
    this.#size += part.bytes.length;
    this.#inFlight.start(async () => {
      try {
        await this.#orFail(() => upload.part(number, part.bytes, signal));
      } finally {
        part.release();
      }
    });
  }

  async #start(options: UploadOptions): Promise<StoreUpload> {
    await this.#options.ready;
    return await this.#store.startUpload(this.#key, options);
  }

  async #orFail<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      this.#fail(error);
      throw error;
    }
  }

  #fail(error: unknown): void {
    this.#inFlight.fail(error);
    this.#stop.abort();
  }

  #end(): void {
    this.#options.signal?.removeEventListener("abort", this.#interrupt);
  }

  readonly #interrupt = () => this.#fail(new InterruptedError());
}

/** Writes an object in pieces of any size. Beside the parts in flight it holds one that is being filled. */
export class PartWriter {
  readonly #splitter: PartSplitter;
  readonly #sender: PartSender;

  constructor(store: SnapStore, key: string, options: PartWriterOptions = {}) {
    const { partBytes = PART_BYTES, expectedBytes } = options;
    const size = partSize(store, { partBytes, expectedBytes });
    this.#splitter = new PartSplitter(size);
    this.#sender = new PartSender(store, key, size, options);
  }

  /** Copies the bytes, and resolves when there is room for more. */
  async write(bytes: Uint8Array): Promise<void> {
    this.#sender.throwFailure();
    for (const part of this.#splitter.write(bytes)) await this.#sender.send(part);
  }

  /** Sends the last part and makes the object appear. Returns its size in bytes. */
  async finish(facts: { sha256: string }): Promise<number> {
    return await this.#sender.finish(this.#splitter.last(), facts);
  }

  /** Abandons the object and removes its parts. Never throws. */
  async abort(): Promise<void> {
    await this.#sender.abort();
  }
}
