import { PartedUpload, type PartedUploadOptions } from "../parts/parted-upload.js";
import type { UploadFacts } from "../store.js";
import { errnoOf, localFailure } from "./failure.js";
import type { NewFile } from "./new-file.js";

/** Errors after which earlier parts may be lost too. */
const DATA_LOSS = ["EIO", "ESTALE", "ETIMEDOUT"];

/** Writes parts at their position in the file, in any order. */
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
      // A concurrent abort has closed the file.
      if (errnoOf(error) === "EBADF") this.checkOpen();
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
   * Linux reports a failed write-back once, and treats the data as written from then on: another write or fsync would
   * succeed.
   */
  #failureOf(error: unknown): Error {
    const errno = errnoOf(error);
    if (!DATA_LOSS.includes(errno)) {
      return localFailure(error, { store: this.#store, key: this.key, action: "write" });
    }
    const what = `the disk lost written data (${errno})`;
    return this.break(this.failure(what, "STORE_FAILED", error));
  }
}
