import type { Chunk } from "../seal/chunk-reader.js";
import { type Entry, type EntryName, parsePath } from "./entry-path.js";
import { damaged } from "../errors.js";
import { MAX_ENTRY_BYTES } from "../format.js";
import {
  decodePax,
  decodeTarBlock,
  isNameOf,
  type PaxRecords,
  TAR_BLOCK,
  TarError,
  tarPadding,
} from "./tar-header.js";

/** A part of the tar in an ARCHIVE file. Bytes are views on the chunk that comes with them. */
export type TarEvent =
  | {
      readonly type: "data-start";
      readonly object: EntryName;
      /** Bytes of data. */
      readonly size: number;
      /** Nanoseconds since 1970. */
      readonly mtime: bigint;
      /** Of the object's first entry, in the plaintext of the file. */
      readonly offset: number;
    }
  | { readonly type: "data"; readonly bytes: Buffer }
  | { readonly type: "data-end" }
  /** An entry other than data, with a copy of its content. */
  | {
      readonly type: "entry";
      readonly entry: Entry;
      readonly content: Buffer;
      readonly offset: number;
    };

/** The events of one chunk. The consumer releases the chunk. */
export interface TarEvents {
  readonly events: readonly TarEvent[];
  readonly chunk: Chunk;
}

/** Parses the tar of one ARCHIVE file from its chunks. Throws DAMAGED. */
export async function* readTar(
  chunks: AsyncIterable<Chunk>,
  file: string,
): AsyncGenerator<TarEvents, void, void> {
  const parser = new TarParser(file);
  for await (const chunk of chunks) yield { events: parser.push(chunk.bytes), chunk };
  parser.end();
}

const ZEROS = Buffer.alloc(TAR_BLOCK);

function isZero(part: Buffer): boolean {
  return part.compare(ZEROS, 0, part.length) === 0;
}

type State = "header" | "collect" | "data" | "padding" | "end";

class TarParser {
  readonly #file: string;
  /** Offset of the next byte in the plaintext. */
  #offset = 0;
  #state: State = "header";
  /** Bytes that the current state still takes. */
  #left = TAR_BLOCK;
  #block = Buffer.alloc(TAR_BLOCK);
  #collected: Buffer = Buffer.alloc(0);
  #filled = 0;
  #pax: PaxRecords | undefined;
  #inPax = false;
  #entry: Entry | undefined;
  #entryStart = 0;
  #padding = 0;

  constructor(file: string) {
    this.#file = file;
  }

  push(bytes: Buffer): TarEvent[] {
    const events: TarEvent[] = [];
    let at = 0;
    while (at < bytes.length) {
      const take = Math.min(this.#left, bytes.length - at);
      const part = bytes.subarray(at, at + take);
      this.#take(part, events);
      at += take;
      this.#offset += take;
      this.#left -= take;
      // An entry without content takes no bytes.
      while (this.#left === 0) this.#step(events);
    }
    return events;
  }

  end(): void {
    const twoBlocks = this.#state === "end" && this.#left === Number.POSITIVE_INFINITY;
    if (!twoBlocks) throw this.#wrong("the tar in it has no end");
  }

  #take(part: Buffer, events: TarEvent[]): void {
    switch (this.#state) {
      case "header":
        this.#block.set(part, TAR_BLOCK - this.#left);
        break;
      case "collect":
        this.#collected.set(part, this.#filled);
        this.#filled += part.length;
        break;
      case "data":
        events.push({ type: "data", bytes: part });
        break;
      case "padding":
        if (!isZero(part)) throw this.#wrong("bytes between the entries of the tar");
        break;
      case "end":
        if (this.#left > TAR_BLOCK || !isZero(part)) {
          throw this.#wrong("bytes after the end of the tar");
        }
        break;
    }
  }

  /** Ends the current state, which has all of its bytes. */
  #step(events: TarEvent[]): void {
    switch (this.#state) {
      case "header":
        this.#header(events);
        return;
      case "collect":
        this.#finishCollected(events);
        this.#pad();
        return;
      case "data":
        events.push({ type: "data-end" });
        this.#pad();
        return;
      case "padding":
        this.#next("header", TAR_BLOCK);
        return;
      case "end":
        this.#next("end", Number.POSITIVE_INFINITY);
        return;
    }
  }

  #header(events: TarEvent[]): void {
    const block = this.#tar(() => decodeTarBlock(this.#block));
    if (this.#pax !== undefined && block?.type !== "0") {
      throw this.#wrong("a pax header without its entry");
    }
    if (block === undefined) {
      this.#next("end", TAR_BLOCK);
      return;
    }
    if (this.#pax === undefined) this.#entryStart = this.#offset - TAR_BLOCK;
    if (block.type === "x") {
      this.#inPax = true;
      this.#collect(block.size);
      return;
    }
    if (block.type !== "0") throw this.#wrong(`a tar entry of type ${JSON.stringify(block.type)}`);
    const pax = this.#pax ?? {};
    this.#pax = undefined;
    const path = pax.path ?? block.name;
    const size = pax.size ?? block.size;
    if (!isNameOf(block.name, path)) throw this.#wrong("a tar header and its pax path differ");
    const entry = parsePath(path);
    if (entry === undefined) throw this.#wrong("an entry with a path that is not of this format");
    this.#entry = entry;
    if (entry.kind !== "data") {
      if (pax.mtime !== undefined) throw this.#wrong("a time on an entry that has none");
      this.#collect(size);
      return;
    }
    if (pax.mtime === undefined) throw this.#wrong("an object without its time");
    events.push({
      type: "data-start",
      object: entry.object,
      size,
      mtime: pax.mtime,
      offset: this.#entryStart,
    });
    this.#padding = tarPadding(size);
    this.#next("data", size);
  }

  #collect(size: number): void {
    if (size > MAX_ENTRY_BYTES) throw this.#wrong(`an entry of ${size} bytes is too long`);
    this.#collected = Buffer.allocUnsafeSlow(size);
    this.#filled = 0;
    this.#padding = tarPadding(size);
    this.#next("collect", size);
  }

  #finishCollected(events: TarEvent[]): void {
    if (this.#inPax) {
      this.#inPax = false;
      this.#pax = this.#tar(() => decodePax(this.#collected));
      return;
    }
    const entry = this.#entry;
    if (entry === undefined) return;
    events.push({ type: "entry", entry, content: this.#collected, offset: this.#entryStart });
  }

  #pad(): void {
    if (this.#padding === 0) this.#next("header", TAR_BLOCK);
    else this.#next("padding", this.#padding);
  }

  #next(state: State, left: number): void {
    this.#state = state;
    this.#left = left;
  }

  #tar<T>(decode: () => T): T {
    try {
      return decode();
    } catch (error) {
      if (error instanceof TarError) throw this.#wrong(error.message);
      throw error;
    }
  }

  #wrong(message: string): Error {
    return damaged(message, { file: this.#file });
  }
}
