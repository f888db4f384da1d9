import { throwIfAborted } from "../../errors.js";
import { StoreError } from "../errors.js";
import type { StoreUpload, UploadOptions } from "../store.js";
import { errnoOf, localFailure } from "./failure.js";
import type { NewFile } from "./new-file.js";

/** After these, parts that were written before may be lost too. */
const LOSSES = ["EIO", "ESTALE", "ETIMEDOUT"];

interface Context extends UploadOptions {
  readonly store: string;
  readonly key: string;
}

/** Parts are written where they belong in the file, in any order. */
export class LocalUpload implements StoreUpload {
  readonly #file: NewFile;
  readonly #context: Context;
  /** Bytes of each part. */
  readonly #lengths = new Map<number, number>();
  #state: "open" | "complete" | "aborted" = "open";
  /** The first failure that the disk reported. */
  #broken: StoreError | undefined;

  constructor(file: NewFile, context: Context) {
    this.#file = file;
    this.#context = context;
  }

  async part(number: number, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    this.#mustBeOpen();
    if (bytes.length > this.#context.partBytes) throw this.#fail("a part is too long");
    try {
      const start = number * this.#context.partBytes;
      for (let at = 0; at < bytes.length; ) {
        at += (await this.#file.handle.write(bytes, at, bytes.length - at, start + at))
          .bytesWritten;
      }
    } catch (error) {
      // Closed by an abort meanwhile.
      if (errnoOf(error) === "EBADF") this.#mustBeOpen();
      throw this.#failure(error);
    }
    this.#lengths.set(number, bytes.length);
  }

  async complete(
    facts: { parts: number; size: number; sha256: string },
    signal?: AbortSignal,
  ): Promise<void> {
    throwIfAborted(signal);
    if (this.#state === "complete") return;
    this.#mustBeOpen();
    this.#checkParts(facts);
    try {
      await this.#file.handle.truncate(facts.size);
      await this.#file.commit(this.#context.ifAbsent ?? false);
    } catch (error) {
      throw this.#failure(error);
    }
    this.#state = "complete";
  }

  async abort(): Promise<void> {
    if (this.#state !== "open") return;
    this.#state = "aborted";
    // What stays is removed with the other stale uploads.
    await this.#file.discard().catch(() => {});
  }

  /** Every part is there, and only the last may be short. */
  #checkParts({ parts, size }: { parts: number; size: number }): void {
    for (let number = 0; number < parts; number++) {
      const start = number * this.#context.partBytes;
      const length = Math.min(this.#context.partBytes, size - start);
      if (length < 0 || this.#lengths.get(number) !== length) {
        throw this.#fail(`part ${number} is not whole`);
      }
    }
    if (size > parts * this.#context.partBytes) throw this.#fail("parts are missing");
  }

  #mustBeOpen(): void {
    if (this.#state !== "open") throw this.#fail("the upload is over");
    if (this.#broken !== undefined) throw this.#broken;
  }

  /**
   * Linux tells of data that it could not write once, and takes it for written from then on: another try, or
   * another fsync, would find nothing wrong.
   */
  #failure(error: unknown): Error {
    if (LOSSES.includes(errnoOf(error))) {
      this.#broken ??= this.#fail(`the disk lost what was written (${errnoOf(error)})`, error);
      return this.#broken;
    }
    return localFailure(error, { ...this.#context, action: "write" });
  }

  #fail(what: string, cause?: unknown): StoreError {
    const { store, key } = this.#context;
    return new StoreError("STORE_FAILED", `${key}: ${what}`, { store, cause });
  }
}
