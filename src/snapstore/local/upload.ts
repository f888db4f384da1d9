import { PartedUpload, type PartedUploadOptions } from "../parts/parted-upload.js";
import type { UploadFacts } from "../store.js";
import { errnoOf, localFailure } from "./failure.js";
import type { NewFile } from "./new-file.js";

/** After these, parts that were written before may be lost too. */
const LOSSES = ["EIO", "ESTALE", "ETIMEDOUT"];

/** Parts are written at their place in the file, in any order. */
export class LocalUpload extends PartedUpload<void> {
  readonly #file: NewFile;
  readonly #store: string;

  constructor(file: NewFile, options: PartedUploadOptions) {
    super(options, "any-order");
    this.#file = file;
    this.#store = options.store;
  }

  protected async sendPart(number: number, bytes: Uint8Array): Promise<void> {
    const { handle } = this.#file;
    const start = number * this.partBytes;
    try {
      for (let at = 0; at < bytes.length; ) {
        const { bytesWritten } = await handle.write(bytes, at, bytes.length - at, start + at);
        at += bytesWritten;
      }
    } catch (error) {
      // Closed by an abort meanwhile.
      if (errnoOf(error) === "EBADF") this.requireOpen();
      throw this.#failureOf(error);
    }
  }

  protected async joinParts(_: readonly unknown[], { size }: UploadFacts): Promise<void> {
    try {
      await this.#file.handle.truncate(size);
      await this.#file.commit(this.ifAbsent);
    } catch (error) {
      throw this.#failureOf(error);
    }
  }

  protected async discardParts(): Promise<void> {
    await this.#file.discard();
  }

  /**
   * Linux reports once that it could not write data, and takes it for written from then on: another try, or another
   * fsync, would find nothing wrong.
   */
  #failureOf(error: unknown): Error {
    const errno = errnoOf(error);
    if (!LOSSES.includes(errno)) {
      return localFailure(error, { store: this.#store, key: this.key, action: "write" });
    }
    const what = `the disk lost what was written (${errno})`;
    return this.break(this.failure(what, "STORE_FAILED", error));
  }
}
