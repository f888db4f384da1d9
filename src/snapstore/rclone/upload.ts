import { StoreError } from "../errors.js";
import { PartedUpload } from "../parts/parted-upload.js";
import type { UploadFacts, UploadOptions } from "../store.js";
import type { RcloneFiles } from "./files.js";
import { Sending } from "./sending.js";

/** One file that is sent under another name, and moved to its key on the remote when it is whole. */
export class RcloneUpload extends PartedUpload<void> {
  readonly #files: RcloneFiles;
  readonly #place: { root: string; folder: string };
  #sending: Sending | undefined;
  #finished = false;

  constructor(files: RcloneFiles, key: string, options: UploadOptions) {
    super({ ...options, store: files.daemon.store, key }, "in-order");
    this.#files = files;
    this.#place = files.newPlace(key);
  }

  protected async sendPart(_: number, bytes: Uint8Array, signal: AbortSignal | undefined) {
    await this.#orBreak((sending) => sending.write(bytes, signal));
  }

  protected async joinParts(
    _: readonly unknown[],
    { size }: UploadFacts,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const about = { key: this.key, signal };
    if (!this.#finished) {
      // rclone compares the digest of what it sent with that of the remote, where it has one.
      await this.#orBreak((sending) => sending.finish(signal));
      this.#finished = true;
    }
    const from = `${this.#place.folder}/object`;
    const sent = await this.#files.stat(from, about);
    const existing = await this.#files.stat(this.key, about);
    // Not here but there: the answer to an earlier try was lost.
    const moved = sent === undefined && existing?.size === size;
    if (!moved) {
      if (sent?.size !== size) throw this.failure("the remote does not have what was sent");
      if (this.ifAbsent && existing !== undefined) {
        throw this.failure("exists already", "STORE_EXISTS");
      }
      await this.#files.move(from, this.key, about);
    }
    // What is left is removed with the stale uploads.
    await this.#files.removePlace(this.#place.root, { key: this.key }).catch(() => {});
  }

  protected async discardParts(): Promise<void> {
    if (this.#sending === undefined) return;
    await this.#sending.cancel();
    await this.#files.purge(this.#place.root, { key: this.key });
  }

  /** After a failure it is not known what rclone has of the stream. */
  async #orBreak(work: (sending: Sending) => Promise<void>): Promise<void> {
    try {
      this.#sending ??= await Sending.start(this.#files.daemon, this.#place.folder, this.key);
      await work(this.#sending);
    } catch (cause) {
      const reason =
        cause instanceof StoreError ? cause.reason.replace(`${this.key}: `, "") : String(cause);
      this.break(
        this.failure(`the upload broke (${reason}), and must begin anew`, "STORE_FAILED", cause),
      );
      throw cause;
    }
  }
}
