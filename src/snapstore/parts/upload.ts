import { setMaxListeners } from "node:events";
import { InterruptedError, throwIfAborted } from "../../errors.js";
import { CallWindow } from "../../flow/call-window.js";
import { StoreError } from "../errors.js";
import { type Part, PartSplitter } from "./part.js";
import { partSize } from "./part-size.js";
import type { SnapStore, StoreUpload, UploadOptions } from "../store.js";

export const PART_BYTES = 5 << 20;
export const PARALLEL_PARTS = 5;

export interface PartWriterOptions {
  /** Bytes of a part, at least; {@link PART_BYTES} unless told. */
  readonly partBytes?: number | undefined;
  /** Parts on their way at once; {@link PARALLEL_PARTS} unless told. */
  readonly parallel?: number | undefined;
  /** So many bytes or fewer will come; parts are made large enough for them. */
  readonly expectedBytes?: number | undefined;
  readonly ifAbsent?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Nothing is sent before it resolves; where it rejects, the object fails by that. */
  readonly ready?: Promise<void> | undefined;
}

/**
 * An object that is sent part by part, all of one size; a single part is put in one call. One call of `send` or
 * `finish` at a time. After a failure every call throws it; `abort` cleans up.
 */
export class PartSender {
  readonly #store: SnapStore;
  readonly #key: string;
  readonly #options: PartWriterOptions;
  readonly #partBytes: number;
  /** Ends the other parts once one has failed. */
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
    // Each part in flight listens to it.
    setMaxListeners(0, this.#stop.signal);
    if (signal?.aborted) this.#interrupt();
    signal?.addEventListener("abort", this.#interrupt, { once: true });
  }

  /** Throws the first failure, if there was one. */
  throwFailure(): void {
    this.#inFlight.throwFailure();
  }

  /** Takes the part over; resolves once it is in flight, for which there must be room. */
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

  /** Abandons the object; nothing of it stays. Never throws. */
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

/** An object that is written piece by piece and sent part by part; beside those on their way, one fills. */
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

  /** Sends what is left and makes the object appear. Returns its size in bytes. */
  async finish(facts: { sha256: string }): Promise<number> {
    return await this.#sender.finish(this.#splitter.last(), facts);
  }

  /** Gives the object up; nothing of it stays. Never throws. */
  async abort(): Promise<void> {
    await this.#sender.abort();
  }
}

/** Uploads a stream of pieces of any size. The digest is asked for at its end. Returns its bytes. */
export async function uploadStream(
  store: SnapStore,
  key: string,
  source: AsyncIterable<Uint8Array>,
  options: PartWriterOptions & { readonly sha256: () => string },
): Promise<number> {
  const writer = new PartWriter(store, key, options);
  try {
    throwIfAborted(options.signal);
    for await (const piece of source) await writer.write(piece);
    return await writer.finish({ sha256: options.sha256() });
  } catch (error) {
    await writer.abort();
    throw error;
  }
}
