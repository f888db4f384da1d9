import type { FileHandle } from "node:fs/promises";

/** Written bytes after which the disk is asked to begin: all at the end would take as long again as the writing. */
const BYTES = 64 << 20;

/** Brings a file to the disk while it is written. */
export class EarlySync {
  readonly #handle: FileHandle;
  #bytes = 0;
  #running: Promise<void> | undefined;
  /** The system reports a failure once: to the call that was the first after it. */
  #failure: { readonly error: unknown } | undefined;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  wrote(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes < BYTES || this.#running !== undefined) return;
    this.#bytes = 0;
    this.#running = this.#sync();
  }

  /** Resolves when everything is on the disk. */
  async finish(): Promise<void> {
    await this.#running;
    if (this.#failure !== undefined) throw this.#failure.error;
    await this.#handle.sync();
  }

  async #sync(): Promise<void> {
    try {
      await this.#handle.datasync();
    } catch (error) {
      this.#failure ??= { error };
    } finally {
      this.#running = undefined;
    }
  }
}
