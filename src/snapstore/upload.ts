import { setMaxListeners } from "node:events";
import { InterruptedError, throwIfAborted } from "../errors.js";
import { StoreError } from "./errors.js";
import { partSize } from "./part-size.js";
import type { SnapStore, StoreUpload } from "./store.js";

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
}

/**
 * An object that is written piece by piece and sent part by part. Holds `parallel` parts on their way
 * and one that fills, whatever the size of the object. What fits into one part is put in one call.
 * One call of `write` or `finish` at a time. After a failure every call throws it; `abort` cleans up.
 */
export class PartWriter {
  readonly #store: SnapStore;
  readonly #key: string;
  readonly #options: PartWriterOptions;
  readonly #partBytes: number;
  readonly #parallel: number;
  /** Ends the other parts once one has failed. */
  readonly #stop = new AbortController();
  readonly #underWay = new Set<Promise<void>>();
  readonly #free: Buffer[] = [];
  #buffer: Buffer | undefined;
  #filled = 0;
  #parts = 0;
  #size = 0;
  #upload: Promise<StoreUpload> | undefined;
  #failure: { error: unknown } | undefined;

  constructor(store: SnapStore, key: string, options: PartWriterOptions = {}) {
    const { partBytes = PART_BYTES, parallel = PARALLEL_PARTS, expectedBytes, signal } = options;
    this.#store = store;
    this.#key = key;
    this.#options = options;
    this.#partBytes = partSize(store, { partBytes, expectedBytes });
    this.#parallel = store.capabilities.parallelParts ? parallel : 1;
    // Each part under way listens to it.
    setMaxListeners(0, this.#stop.signal);
    if (signal?.aborted) this.#interrupt();
    signal?.addEventListener("abort", this.#interrupt, { once: true });
  }

  /** Copies the bytes, and resolves when there is room for more. */
  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      this.#throwFailure();
      // A full part leaves when more comes: the last may be the only one.
      if (this.#filled === this.#partBytes) await this.#send();
      this.#buffer ??= this.#free.pop() ?? Buffer.allocUnsafeSlow(this.#partBytes);
      const piece = bytes.subarray(at, at + this.#partBytes - this.#filled);
      this.#buffer.set(piece, this.#filled);
      this.#filled += piece.length;
      this.#size += piece.length;
      at += piece.length;
    }
  }

  /** Sends what is left and makes the object appear. Returns its size in bytes. */
  async finish({ sha256 }: { sha256: string }): Promise<number> {
    this.#throwFailure();
    const { ifAbsent } = this.#options;
    const { signal } = this.#stop;
    if (this.#parts === 0) {
      const bytes = this.#buffer?.subarray(0, this.#filled) ?? new Uint8Array(0);
      await this.#orFail(() => this.#store.put(this.#key, bytes, { ifAbsent, signal }));
    } else {
      await this.#send();
      await Promise.all(this.#underWay);
      this.#throwFailure();
      const facts = { parts: this.#parts, size: this.#size, sha256 };
      await this.#orFail(async () => (await this.#upload)?.complete(facts, signal));
    }
    this.#end();
    return this.#size;
  }

  /** Gives the object up; nothing of it stays. Never throws. */
  async abort(): Promise<void> {
    this.#fail(new InterruptedError());
    await Promise.all(this.#underWay);
    const upload = await this.#upload?.catch(() => undefined);
    await upload?.abort();
    this.#end();
  }

  /** Sends the part that was filled as soon as there is room. */
  async #send(): Promise<void> {
    const { ifAbsent } = this.#options;
    const partBytes = this.#partBytes;
    const { signal } = this.#stop;
    if (this.#parts === this.#store.capabilities.maxParts) {
      const message = `${this.#key}: more than ${this.#parts} parts of ${partBytes} bytes`;
      this.#fail(new StoreError("STORE_FAILED", message, { store: this.#store.name }));
    }
    while (this.#underWay.size >= this.#parallel) await Promise.race(this.#underWay);
    this.#throwFailure();
    this.#upload ??= this.#store.startUpload(this.#key, { partBytes, ifAbsent, signal });
    const upload = await this.#orFail(() => this.#upload);
    this.#throwFailure();
    const [buffer, number] = [this.#buffer, this.#parts++];
    if (upload === undefined || buffer === undefined) return;
    const part = upload
      .part(number, buffer.subarray(0, this.#filled), signal)
      .then(
        () => void this.#free.push(buffer),
        (error) => this.#fail(error),
      )
      .finally(() => this.#underWay.delete(part));
    this.#underWay.add(part);
    this.#buffer = undefined;
    this.#filled = 0;
  }

  async #orFail<T>(work: () => Promise<T> | undefined): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      this.#fail(error);
      throw error;
    }
  }

  #fail(error: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = { error };
    this.#stop.abort();
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  #end(): void {
    this.#options.signal?.removeEventListener("abort", this.#interrupt);
    this.#free.length = 0;
    this.#buffer = undefined;
  }

  readonly #interrupt = () => this.#fail(new InterruptedError());
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
