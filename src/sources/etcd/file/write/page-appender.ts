import type { FileHandle } from "node:fs/promises";
import { CallWindow } from "../../../../flow/call-window.js";
import { PAGE_HEADER_BYTES } from "../page.js";
import { writeUint64 } from "../uint64.js";

const BLOCK_BYTES = 1 << 20;
const WRITES_IN_FLIGHT = 4;

/** Writes pages one after another, from a position in a file on. */
export class PageAppender {
  readonly pageSize: number;
  readonly #handle: FileHandle;
  readonly #onWritten: (bytes: number) => void;
  readonly #window = new CallWindow(WRITES_IN_FLIGHT);
  readonly #spare: Buffer[] = [];
  #block: Buffer = Buffer.alloc(0);
  #used = 0;
  #next: number;

  /** @param firstPage number of the first page that is appended */
  constructor(
    handle: FileHandle,
    pageSize: number,
    firstPage: number,
    onWritten: (bytes: number) => void,
  ) {
    this.#handle = handle;
    this.pageSize = pageSize;
    this.#next = firstPage;
    this.#onWritten = onWritten;
  }

  /** Number of the next page. */
  get nextPage(): number {
    return this.#next;
  }

  /**
   * The next page, with as many behind it as `bytes` need. The header is written except for flags and count; the
   * caller fills what follows, up to `bytes`, before the next call of this object.
   */
  append(bytes: number): { readonly id: number; readonly page: Buffer } {
    const pages = Math.max(1, Math.ceil(bytes / this.pageSize));
    const size = pages * this.pageSize;
    if (size > this.#block.length - this.#used) {
      this.#writeBlock();
      this.#block =
        size > BLOCK_BYTES
          ? Buffer.allocUnsafeSlow(size)
          : (this.#spare.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES));
      this.#used = 0;
    }
    const page = this.#block.subarray(this.#used, this.#used + size);
    const id = this.#next;
    this.#used += size;
    this.#next += pages;
    page.fill(0, bytes);
    writeUint64(page, 0, id);
    page.writeUInt32LE(0, 8);
    page.writeUInt32LE(pages - 1, 12);
    return { id, page };
  }

  /** The next pages, as a copy of a page of the same size with those that continue it. Returns its number. */
  appendCopy(bytes: Buffer): number {
    const { id, page } = this.append(bytes.length);
    bytes.copy(page, 8, 8, PAGE_HEADER_BYTES - 4);
    bytes.copy(page, PAGE_HEADER_BYTES, PAGE_HEADER_BYTES);
    return id;
  }

  /** Resolves when there is room for more. */
  async ready(): Promise<void> {
    await this.#window.room();
  }

  /** Resolves when everything is written. */
  async flush(): Promise<void> {
    this.#writeBlock();
    this.#block = Buffer.alloc(0);
    this.#used = 0;
    await this.#window.drain();
  }

  /** Resolves when no write is under way, for a caller that has failed. */
  async settled(): Promise<void> {
    await this.#window.settled();
  }

  #writeBlock(): void {
    const block = this.#block;
    const bytes = this.#used;
    if (bytes === 0) return;
    const position = this.#next * this.pageSize - bytes;
    this.#window.start(async () => {
      await writeFully(this.#handle, block.subarray(0, bytes), position);
      if (block.length === BLOCK_BYTES) this.#spare.push(block);
      this.#onWritten(bytes);
    });
  }
}

export async function writeFully(
  handle: FileHandle,
  bytes: Uint8Array,
  position: number,
): Promise<void> {
  let written = 0;
  while (written < bytes.length) {
    const part = bytes.subarray(written);
    written += (await handle.write(part, 0, part.length, position + written)).bytesWritten;
  }
}
