import { damaged } from "../../archive/errors.js";

const LENGTH_BYTES = 4;

/** Follows the lengths of the sealed chunks of a file, without their keys (docs/format.md, "A sealed file"). */
export class ChunkFrames {
  readonly #largest: number;
  readonly #file: string;
  /** Bytes of the length of the next chunk, as far as they are there. */
  #length = Buffer.alloc(0);
  /** Bytes that are left of the current chunk. */
  #left = 0;
  #chunks = 0;

  /** @param chunkBytes of plaintext in a full chunk */
  constructor(chunkBytes: number, file: string) {
    this.#largest = chunkBytes + Math.floor(chunkBytes / 256) + 80;
    this.#file = file;
  }

  /** The next bytes. Throws DAMAGED for a length that no chunk has. */
  push(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      if (this.#left > 0) {
        const taken = Math.min(this.#left, bytes.length - at);
        this.#left -= taken;
        at += taken;
        continue;
      }
      const more = bytes.subarray(at, at + LENGTH_BYTES - this.#length.length);
      this.#length = Buffer.concat([this.#length, more]);
      at += more.length;
      if (this.#length.length === LENGTH_BYTES) this.#begin();
    }
  }

  /** After the last byte. Throws DAMAGED for a chunk that is cut off, and without any. */
  end(): void {
    if (this.#left === 0 && this.#length.length === 0 && this.#chunks > 0) return;
    throw damaged("it is cut off", { file: this.#file });
  }

  #begin(): void {
    this.#left = this.#length.readUInt32LE();
    this.#length = Buffer.alloc(0);
    if (this.#left === 0 || this.#left > this.#largest) {
      throw damaged(`a chunk of ${this.#left} bytes is outside of the format`, {
        file: this.#file,
        chunk: this.#chunks,
      });
    }
    this.#chunks++;
  }
}
