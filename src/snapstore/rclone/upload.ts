import { throwIfAborted } from "../../errors.js";
import { StoreError } from "../errors.js";
import type { StoreUpload, UploadOptions } from "../store.js";
import type { RcloneFiles } from "./files.js";
import { Sending } from "./sending.js";

/** One file that is sent under another name, and moved to its place on the remote when it is whole. */
export class RcloneUpload implements StoreUpload {
  readonly #files: RcloneFiles;
  readonly #key: string;
  readonly #options: UploadOptions;
  readonly #place: { root: string; folder: string };
  #sending: Sending | undefined;
  #parts = 0;
  #length = 0;
  #finished = false;
  #state: "open" | "complete" | "aborted" = "open";
  /** What rclone has of the stream after a failure, nobody knows. */
  #broken: { readonly by: unknown } | undefined;

  constructor(files: RcloneFiles, key: string, options: UploadOptions) {
    this.#files = files;
    this.#key = key;
    this.#options = options;
    this.#place = files.newPlace(key);
  }

  async part(number: number, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    this.#mustBeOpen();
    if (number < this.#parts) return;
    const { partBytes } = this.#options;
    const short = this.#length < this.#parts * partBytes;
    if (number > this.#parts || bytes.length > partBytes || short) {
      throw this.#error(`part ${number} is out of turn`);
    }
    await this.#orBreak((sending) => sending.write(bytes, signal));
    this.#parts++;
    this.#length += bytes.length;
  }

  async complete(
    facts: { parts: number; size: number; sha256: string },
    signal?: AbortSignal,
  ): Promise<void> {
    throwIfAborted(signal);
    if (this.#state === "complete") return;
    this.#mustBeOpen();
    if (this.#parts !== facts.parts || this.#length !== facts.size) {
      throw this.#error("parts are missing or not whole");
    }
    const about = { key: this.#key, signal };
    if (!this.#finished) {
      // rclone compares the digest of what it sent with that of the remote, where it has one.
      await this.#orBreak((sending) => sending.finish(signal));
      this.#finished = true;
    }
    const from = `${this.#place.folder}/object`;
    const sent = await this.#files.stat(from, about);
    const there = await this.#files.stat(this.#key, about);
    // Not here but there: the answer to an earlier try was lost.
    const moved = sent === undefined && there?.size === facts.size;
    if (!moved) {
      if (sent?.size !== facts.size) throw this.#error("the remote has not what was sent");
      if (this.#options.ifAbsent && there !== undefined) {
        const { store } = this.#files.daemon;
        throw new StoreError("STORE_EXISTS", `${this.#key}: exists already`, { store });
      }
      await this.#files.move(from, this.#key, about);
    }
    this.#state = "complete";
    // What stays is removed with the other stale uploads.
    await this.#files.removePlace(this.#place.root, { key: this.#key }).catch(() => {});
  }

  async abort(): Promise<void> {
    if (this.#state === "complete" || this.#state === "aborted") return;
    this.#state = "aborted";
    if (this.#sending === undefined) return;
    await this.#sending.cancel();
    await this.#files.purge(this.#place.root, { key: this.#key }).catch(() => {});
  }

  async #orBreak(work: (sending: Sending) => Promise<void>): Promise<void> {
    try {
      this.#sending ??= await Sending.start(this.#files.daemon, this.#place.folder, this.#key);
      await work(this.#sending);
    } catch (by) {
      this.#broken ??= { by };
      throw by;
    }
  }

  #mustBeOpen(): void {
    if (this.#state !== "open") throw this.#error("the upload is over");
    if (this.#broken === undefined) return;
    const { by } = this.#broken;
    const reason = by instanceof StoreError ? by.reason.replace(`${this.#key}: `, "") : String(by);
    throw this.#error(`the upload broke (${reason}), and must begin anew`, by);
  }

  #error(what: string, cause?: unknown): StoreError {
    const { store } = this.#files.daemon;
    return new StoreError("STORE_FAILED", `${this.#key}: ${what}`, { store, cause });
  }
}
