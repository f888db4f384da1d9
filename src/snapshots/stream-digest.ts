import type { FileDigest, FileThread, HashedFile } from "../threads/file-thread.js";
import type { SharedMemory } from "../threads/shared-memory.js";

const BUFFER_BYTES = 1 << 20;

/** Hashes a stream on a thread while the next bytes arrive. */
export class StreamDigest {
  readonly #file: HashedFile;
  readonly #memory: SharedMemory;
  #filling: SharedArrayBuffer;
  #hashed: SharedArrayBuffer;
  #filled = 0;
  #hashing: Promise<void> = Promise.resolve();

  private constructor(file: HashedFile, memory: SharedMemory) {
    this.#file = file;
    this.#memory = memory;
    this.#filling = memory.take(BUFFER_BYTES);
    this.#hashed = memory.take(BUFFER_BYTES);
  }

  static async start(thread: FileThread): Promise<StreamDigest> {
    return new StreamDigest(await thread.open(), thread.memory);
  }

  /** Copies the piece. Waits if the thread is behind. */
  async add(piece: Uint8Array): Promise<void> {
    for (let at = 0; at < piece.length; ) {
      const part = piece.subarray(at, at + BUFFER_BYTES - this.#filled);
      new Uint8Array(this.#filling, this.#filled).set(part);
      this.#filled += part.length;
      at += part.length;
      if (this.#filled === BUFFER_BYTES) await this.#flush();
    }
  }

  async finish(): Promise<FileDigest> {
    if (this.#filled > 0) await this.#flush();
    await this.#hashing;
    this.#memory.give(this.#filling);
    this.#memory.give(this.#hashed);
    return await this.#file.finish();
  }

  /** Never throws. */
  async abandon(): Promise<void> {
    await this.#file.abandon().catch(() => {});
  }

  async #flush(): Promise<void> {
    await this.#hashing;
    this.#hashing = this.#file.append(this.#filling, 0, this.#filled);
    // The next `await` of it throws.
    this.#hashing.catch(() => {});
    [this.#filling, this.#hashed] = [this.#hashed, this.#filling];
    this.#filled = 0;
  }
}

/** Length and SHA-256 of a whole stream. */
export async function streamDigest(
  pieces: AsyncIterable<Uint8Array>,
  thread: FileThread,
  onBytes: (bytes: number) => void = () => {},
): Promise<FileDigest> {
  const digest = await StreamDigest.start(thread);
  try {
    for await (const piece of pieces) {
      onBytes(piece.length);
      await digest.add(piece);
    }
    return await digest.finish();
  } catch (error) {
    await digest.abandon();
    throw error;
  }
}
