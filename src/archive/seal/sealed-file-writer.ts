import { Waiters } from "../../flow/waiters.js";
import type { SealedOutput } from "../backup-target.js";
import type { FileDigest } from "../../threads/file-thread.js";
import { chunkNonce, FRAME_BYTES, maxSealedChunk } from "../format.js";
import type { Piece } from "./seal-jobs.js";
import type { SealPool } from "./seal-pool.js";

/** Bytes in shared memory, appended without a copy on the main thread. */
export interface SharedSlice {
  readonly memory: SharedArrayBuffer;
  readonly offset: number;
  readonly length: number;
}

/** Chunks of a file that are sealed or written at once. */
const WINDOW = 8;
/** Shorter slices are copied: a piece of its own would cost more than the copy. */
const COPY_BELOW = 16 << 10;

/** Digest of a sealed file. */
interface SealedFileDigest extends FileDigest {
  /** Bytes before compression. */
  readonly plainBytes: number;
}

/**
 * Writes one sealed file front to back. Full chunks of plaintext go to the seal pool, and then to the file in their
 * order. `append` never waits; callers await `ready` between entries.
 */
export class SealedFileWriter {
  readonly #file: SealedOutput;
  readonly #pool: SealPool;
  readonly #key: Uint8Array;
  readonly #chunkBytes: number;
  readonly #level: number;
  #plain: SharedArrayBuffer;
  #view: Buffer;
  #used = 0;
  #pieces: Piece[] = [];
  #releases: (() => void)[] = [];
  #chunks = 0;
  #inFlight = 0;
  #position = 0;
  #sealedBytes = 0;
  /** Resolves when every chunk so far was passed to the file. */
  #sent: Promise<void> = Promise.resolve();
  /** Resolves when every append so far has ended, in any order. */
  #acknowledged: Promise<void>;
  #failure: Error | undefined;
  readonly #waiters = new Waiters();

  constructor(options: {
    file: SealedOutput;
    pool: SealPool;
    header: Uint8Array;
    key: Uint8Array;
    chunkBytes: number;
    level: number;
  }) {
    this.#file = options.file;
    this.#pool = options.pool;
    this.#key = options.key;
    this.#chunkBytes = options.chunkBytes;
    this.#level = options.level;
    this.#plain = this.#pool.memory.take(this.#chunkBytes);
    this.#view = Buffer.from(this.#plain);
    const header = new SharedArrayBuffer(options.header.length);
    Buffer.from(header).set(options.header);
    this.#sealedBytes = header.byteLength;
    this.#acknowledged = this.#file
      .append(header, 0, header.byteLength)
      .catch((error) => this.#fail(error));
  }

  /** Offset of the next appended byte in the plaintext. */
  get position(): number {
    return this.#position;
  }

  /** Sealed bytes so far; chunks in the pool count as their plaintext. */
  get sealedBytes(): number {
    return this.#sealedBytes + this.#inFlight * this.#chunkBytes + this.#used;
  }

  /** Appends a copy of `bytes`. */
  append(bytes: Uint8Array): void {
    let from = 0;
    while (from < bytes.length) {
      if (this.#used === this.#chunkBytes) this.#dispatch(false);
      const length = Math.min(bytes.length - from, this.#chunkBytes - this.#used);
      this.#view.set(
        from === 0 && length === bytes.length ? bytes : bytes.subarray(from, from + length),
        this.#used,
      );
      this.#used += length;
      from += length;
    }
    this.#position += bytes.length;
  }

  /** Appends `slice` without a copy; calls `release` once, when its memory is no longer read. */
  appendShared(slice: SharedSlice, release: () => void): void {
    if (slice.length < COPY_BELOW) {
      this.append(new Uint8Array(slice.memory, slice.offset, slice.length));
      release();
      return;
    }
    let left = slice.length;
    while (left > 0) {
      if (this.#used === this.#chunkBytes) this.#dispatch(false);
      const length = Math.min(left, this.#chunkBytes - this.#used);
      const from = slice.offset + slice.length - left;
      this.#pieces.push({ memory: slice.memory, from, to: this.#used, length });
      this.#used += length;
      left -= length;
    }
    // Workers seal chunks in any order: the last chunk with a part of the slice may be sealed before the others.
    this.#releases.push(release);
    this.#position += slice.length;
  }

  /** Appends zeros up to a multiple of `block` bytes. */
  pad(block: number): void {
    const rest = this.#position % block;
    if (rest !== 0) this.append(Buffer.alloc(block - rest));
  }

  /** Resolves when there is room for more; rejects when sealing or writing has failed. */
  async ready(): Promise<void> {
    while (this.#failure === undefined && this.#inFlight >= WINDOW) {
      await this.#waiters.wait();
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Seals the last chunk, and finishes the file. */
  async finish(): Promise<SealedFileDigest> {
    this.#dispatch(true);
    await this.#sent;
    await this.#acknowledged;
    if (this.#failure !== undefined) throw this.#failure;
    this.#pool.memory.give(this.#plain);
    const digest = await this.#file.finish();
    return { ...digest, plainBytes: this.#position };
  }

  async abandon(): Promise<void> {
    this.#failure ??= new Error("abandoned");
    await this.#file.abandon();
  }

  #dispatch(last: boolean): void {
    const plain = this.#plain;
    const releases = this.#releases;
    const out = this.#pool.memory.take(FRAME_BYTES + maxSealedChunk(this.#chunkBytes));
    const sealing = this.#pool.seal({
      plain,
      plainLength: this.#used,
      pieces: this.#pieces,
      out,
      outOffset: FRAME_BYTES,
      key: this.#key,
      nonce: chunkNonce(this.#chunks, last),
      level: this.#level,
    });
    this.#chunks++;
    this.#inFlight++;
    const before = this.#sent;
    this.#sent = this.#sendChunk(sealing, before, plain, out, releases);
    this.#pieces = [];
    this.#releases = [];
    this.#used = 0;
    this.#plain = this.#pool.memory.take(this.#chunkBytes);
    this.#view = Buffer.from(this.#plain);
  }

  /** Resolves when the chunk was passed to the file, after those before it. Never rejects. */
  async #sendChunk(
    sealing: Promise<number>,
    before: Promise<void>,
    plain: SharedArrayBuffer,
    out: SharedArrayBuffer,
    releases: (() => void)[],
  ): Promise<void> {
    try {
      const length = await sealing;
      this.#pool.memory.give(plain);
      await before;
      // Every chunk before this one is sealed too, so nothing reads the slices that end here.
      for (const release of releases) release();
      if (this.#failure !== undefined) return;
      new DataView(out).setUint32(0, length, true);
      this.#sealedBytes += FRAME_BYTES + length;
      const appended = this.#awaitAppend(this.#file.append(out, 0, FRAME_BYTES + length), out);
      const earlier = this.#acknowledged;
      this.#acknowledged = appended.then(() => earlier);
    } catch (error) {
      await before;
      this.#fail(error);
    }
  }

  async #awaitAppend(append: Promise<void>, out: SharedArrayBuffer): Promise<void> {
    try {
      await append;
      this.#pool.memory.give(out);
      this.#inFlight--;
      this.#waiters.wakeAll();
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    this.#failure ??= error instanceof Error ? error : new Error(String(error));
    this.#waiters.wakeAll();
  }
}
