import { StoreError } from "../errors.js";
import { PartedUpload } from "../parts/parted-upload.js";
import type { UploadFacts, UploadOptions } from "../store.js";
import type { RcloneFiles } from "./files.js";
import { MultipartRequest } from "./multipart-request.js";

/** Streams a file under a temporary name, and moves it to its key when it is complete. */
export class RcloneUpload extends PartedUpload<void> {
  readonly #files: RcloneFiles;
  readonly #folders: { root: string; folder: string };
  #request: MultipartRequest | undefined;
  #finished = false;

  constructor(files: RcloneFiles, key: string, options: UploadOptions) {
    super({ ...options, store: files.daemon.store, key }, "in-order");
    this.#files = files;
    this.#folders = files.newUploadFolder(key);
  }

  protected async sendPart(_: number, bytes: Uint8Array, signal: AbortSignal | undefined) {
    await this.#orBreak((request) => request.write(bytes, signal));
  }

  protected async joinParts(
    _: readonly unknown[],
    { size }: UploadFacts,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const about = { key: this.key, signal };
    if (!this.#finished) {
      // rclone verifies the digest, if the remote has one.
      await this.#orBreak((request) => request.finish(signal));
      this.#finished = true;
    }
    const from = `${this.#folders.folder}/object`;
    const sent = await this.#files.stat(from, about);
    const existing = await this.#files.stat(this.key, about);
    // An earlier attempt may have moved the file, and its response was lost.
    const moved = sent === undefined && existing?.size === size;
    if (!moved) {
      if (sent?.size !== size)
        throw this.failure("the file on the remote differs from what was sent");
      if (this.ifAbsent && existing !== undefined) {
        throw this.failure("exists already", "STORE_EXISTS");
      }
      await this.#files.move(from, this.key, about);
    }
    // What is left is removed by `abortStaleUploads`.
    await this.#files.removeEmptyUpload(this.#folders.root, { key: this.key }).catch(() => {});
  }

  protected async discardParts(): Promise<void> {
    if (this.#request === undefined) return;
    await this.#request.cancel();
    await this.#files.purge(this.#folders.root, { key: this.key });
  }

  /** After a failure it is unknown which bytes rclone has received. */
  async #orBreak(work: (request: MultipartRequest) => Promise<void>): Promise<void> {
    try {
      this.#request ??= await MultipartRequest.start(
        this.#files.daemon,
        this.#folders.folder,
        this.key,
      );
      await work(this.#request);
    } catch (cause) {
      const reason =
        cause instanceof StoreError ? cause.reason.replace(`${this.key}: `, "") : String(cause);
      this.break(
        this.failure(`the upload failed (${reason}) and must start again`, "STORE_FAILED", cause),
      );
      throw cause;
    }
  }
}
