import type { FileHandle } from "node:fs/promises";
import { ArchiveError, damaged } from "../errors.js";
import { openRegularFile } from "../regular-file.js";
import {
  FRAME_HEADER_BYTES,
  FRAME_MAGIC,
  FrameType,
  MAX_SEALED_BYTES,
  NONCE_BYTES,
  TAG_BYTES,
} from "./format.js";

/** The header of a frame, and where its sealed part is. */
export interface Frame {
  readonly type: FrameType;
  /** Number in its file, from 0. */
  readonly number: number;
  readonly nonce: Uint8Array;
  /** Offset of ciphertext and tag in the file. */
  readonly at: number;
  /** Bytes of ciphertext and tag. */
  readonly length: number;
}

const TYPES: readonly number[] = Object.values(FrameType);
/** Bytes of one read, which covers many small frames. */
const WINDOW_BYTES = 1 << 20;

/** The frames of one file, in order. Throws DAMAGED. */
export class FrameFile {
  readonly #handle: FileHandle;
  #window: Buffer = Buffer.alloc(0);
  #windowAt = 0;

  constructor(
    readonly name: string,
    readonly size: number,
    handle: FileHandle,
  ) {
    this.#handle = handle;
  }

  async *frames(): AsyncGenerator<Frame> {
    if (this.size === 0) throw damaged("it is empty", { file: this.name });
    let at = 0;
    for (let number = 0; at < this.size; number++) {
      const frame = await this.frame(at, number);
      yield frame;
      at = frame.at + frame.length;
    }
  }

  /** The frame whose header is at `from`. */
  async frame(from: number, number: number): Promise<Frame> {
    const wrong = (why: string) => damaged(why, { file: this.name, chunk: number });
    if (this.size - from < FRAME_HEADER_BYTES) throw wrong("truncated within a frame's header");
    const header = await this.#read(from, FRAME_HEADER_BYTES);
    const type = header.readUInt32BE(4);
    const length = header.readBigUInt64BE(8);
    if (header.readUInt32BE(0) !== FRAME_MAGIC || !TYPES.includes(type)) {
      throw wrong("no frame begins there");
    }
    if (length < TAG_BYTES || length > MAX_SEALED_BYTES) {
      throw wrong(`a frame of ${length} bytes, outside of what the format allows`);
    }
    const at = from + FRAME_HEADER_BYTES;
    if (Number(length) > this.size - at) throw wrong("truncated within a frame");
    const nonce = Buffer.from(header.subarray(16, 16 + NONCE_BYTES));
    return { type: type as FrameType, number, nonce, at, length: Number(length) };
  }

  /** A copy of the ciphertext and tag of a frame. */
  async sealed({ at, length }: Frame): Promise<ArrayBuffer> {
    const memory = new ArrayBuffer(length);
    const bytes = Buffer.from(memory);
    if (length <= WINDOW_BYTES / 4) bytes.set(await this.#read(at, length));
    else await this.#fill(bytes, at);
    return memory;
  }

  async #read(at: number, length: number): Promise<Buffer> {
    const from = at - this.#windowAt;
    if (from < 0 || from + length > this.#window.length) {
      const window = Buffer.allocUnsafeSlow(Math.min(WINDOW_BYTES, this.size - at));
      await this.#fill(window, at);
      this.#window = window;
      this.#windowAt = at;
      return window.subarray(0, length);
    }
    return this.#window.subarray(from, from + length);
  }

  async #fill(bytes: Buffer, at: number): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const { bytesRead } = await this.#handle.read(bytes, done, bytes.length - done, at + done);
      if (bytesRead === 0) throw damaged("truncated while it was read", { file: this.name });
      done += bytesRead;
    }
  }
}

/** Opens a file of an archive for `use`. Throws MISSING_FILE and DAMAGED. */
export async function withFrames<T>(
  folder: string,
  name: string,
  use: (file: FrameFile) => Promise<T>,
): Promise<T> {
  const handle = await openRegularFile(folder, name);
  try {
    return await use(new FrameFile(name, (await handle.stat()).size, handle));
  } finally {
    await handle.close();
  }
}

/** Whether the error is that a file does not exist. */
export function isMissing(error: unknown): boolean {
  return error instanceof ArchiveError && error.code === "MISSING_FILE";
}
