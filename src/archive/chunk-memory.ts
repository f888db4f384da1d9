import { FRAME_BYTES, maxSealedChunk } from "./format.js";

/**
 * Memory for chunks on their way, used again and again by all files of a backup: V8's collector does not count
 * shared memory, so what each file leaves behind would pile up.
 */
export class ChunkMemory {
  readonly chunkBytes: number;
  readonly #plain: SharedArrayBuffer[] = [];
  readonly #sealed: SharedArrayBuffer[] = [];

  constructor(chunkBytes: number) {
    this.chunkBytes = chunkBytes;
  }

  /** Room for the content of a chunk. */
  takePlain(): SharedArrayBuffer {
    return this.#plain.pop() ?? new SharedArrayBuffer(this.chunkBytes);
  }

  givePlain(memory: SharedArrayBuffer): void {
    this.#plain.push(memory);
  }

  /** Room for a sealed chunk with its length before it. */
  takeSealed(): SharedArrayBuffer {
    return (
      this.#sealed.pop() ?? new SharedArrayBuffer(FRAME_BYTES + maxSealedChunk(this.chunkBytes))
    );
  }

  giveSealed(memory: SharedArrayBuffer): void {
    this.#sealed.push(memory);
  }
}
