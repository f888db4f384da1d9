import { createHash } from "node:crypto";
import type { FileDigest } from "../../threads/file-thread.js";
import type { SealedOutput } from "../backup-target.js";

/** Takes a small sealed file into memory. */
export class MemoryOutput implements SealedOutput {
  readonly #hash = createHash("sha256");
  readonly #parts: Buffer[] = [];

  async append(memory: SharedArrayBuffer, from: number, length: number): Promise<void> {
    const part = Buffer.from(new Uint8Array(memory, from, length));
    this.#hash.update(part);
    this.#parts.push(part);
  }

  async finish(): Promise<FileDigest> {
    const size = this.#parts.reduce((sum, { length }) => sum + length, 0);
    return { size, sha256: this.#hash.digest("hex") };
  }

  async abandon(): Promise<void> {
    this.#parts.length = 0;
  }

  /** After `finish`. */
  get bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }
}
