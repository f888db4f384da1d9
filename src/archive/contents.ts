import type { BackupReader, ReadOptions } from "./backup-reader.js";
import { CborError, CborReader } from "./cbor.js";
import type { Chunk } from "./seal/chunk-reader.js";
import { type EntryName, isSameObject } from "./tar/entry-path.js";
import { damaged } from "./errors.js";
import { archiveName, MAX_ENTRY_ITEMS } from "./format.js";
import {
  type ArchivedLease,
  type ArchivedPair,
  type ArchivedRecord,
  decodeAttributes,
  decodeLease,
  decodePairs,
  decodeRecord,
  decodeTombstone,
  type ObjectAttributes,
  type Tombstone,
} from "./records.js";
import type { TarEvent } from "./tar/tar-reader.js";

/** Who is told what an ARCHIVE file holds, in its order. */
export interface ContentsVisitor {
  /** An object begins; its data follows in pieces. `offset` is where its first entry stands. */
  beginObject(object: EntryName, size: number, mtime: bigint, offset: number): void;
  /** Comes before `beginObject`; `offset` is where it stands. */
  attributes(object: EntryName, attributes: ObjectAttributes, offset: number): void;
  /** A further page of the omap; comes before `beginObject`. */
  omapPage(object: EntryName, pairs: readonly ArchivedPair[]): void;
  /** Keep `chunk` by `retain` to use `bytes` after the call. */
  data(bytes: Buffer, chunk: Chunk): void;
  endObject(): void;
  /** What was visited last of `object` is void. {@link settle} follows before anything else is told. */
  torn(object: EntryName): void;
  records(records: readonly ArchivedRecord[], offset: number): void;
  leases(leases: readonly ArchivedLease[]): void;
  tombstones(tombstones: readonly Tombstone[]): void;
  /** Called after each chunk, and after each `torn`: the place to wait. */
  settle(): Promise<void>;
}

/** Numbers that the next entries of a backup must have: from 0 without gaps, through all of its ARCHIVE files. */
export class EntryNumbers {
  readonly #next = { records: 0, leases: 0, tombstones: 0 };

  /** How many `etcd/records/` entries there were. */
  get records(): number {
    return this.#next.records;
  }

  /** Whether `number` is the next of its kind, which it then was. */
  take(kind: "records" | "leases" | "tombstones", number: number): boolean {
    return this.#next[kind]++ === number;
  }
}

/**
 * Walks one ARCHIVE file; `numbers` is shared by all files of a backup, in their order. Throws DAMAGED; what the visitor
 * throws passes through.
 */
export async function visitArchive(
  backup: BackupReader,
  number: number,
  visitor: ContentsVisitor,
  { numbers, ...options }: ReadOptions & { readonly numbers: EntryNumbers },
): Promise<void> {
  const firstBatch = backup.metadata.etcd?.firstBatch ?? 0;
  const walk = new Walk(visitor, archiveName(number), firstBatch, numbers);
  for await (const { events, chunk } of backup.readArchive(number, options)) {
    try {
      for (const event of events) {
        walk.event(event, chunk);
        // Taken back before the object comes again, maybe in the same chunk.
        if (isTorn(event)) await visitor.settle();
      }
      await visitor.settle();
    } finally {
      chunk.release();
    }
  }
  walk.end();
}

function isTorn(event: TarEvent): boolean {
  return event.type === "entry" && event.entry.kind === "torn";
}

class Walk {
  readonly #visitor: ContentsVisitor;
  readonly #file: string;
  readonly #firstBatch: number;
  readonly #numbers: EntryNumbers;
  /** The object whose attributes were read and whose data must follow. */
  #open: { object: EntryName; offset: number; pages: number } | undefined;
  /** Whether a torn entry may come now, and for which object. */
  #last: EntryName | undefined;

  constructor(visitor: ContentsVisitor, file: string, firstBatch: number, numbers: EntryNumbers) {
    this.#visitor = visitor;
    this.#file = file;
    this.#firstBatch = firstBatch;
    this.#numbers = numbers;
  }

  event(event: TarEvent, chunk: Chunk): void {
    switch (event.type) {
      case "data-start": {
        const { object, size, mtime } = event;
        if (this.#open !== undefined) this.#expect(this.#open.object, object);
        const offset = this.#open?.offset ?? event.offset;
        this.#open = undefined;
        this.#last = object;
        this.#visitor.beginObject(object, size, mtime, offset);
        return;
      }
      case "data":
        this.#visitor.data(event.bytes, chunk);
        return;
      case "data-end":
        this.#visitor.endObject();
        return;
      case "entry":
        this.#entry(event);
        return;
    }
  }

  end(): void {
    if (this.#open !== undefined) throw this.#wrong("attributes without their object");
  }

  #entry({ entry, content, offset }: Extract<TarEvent, { type: "entry" }>): void {
    const visitor = this.#visitor;
    if (entry.kind === "torn") {
      const object = this.#open?.object ?? this.#last;
      if (object === undefined) throw this.#wrong("a torn object that is not there");
      this.#expect(object, entry.object);
      if (content.length > 0) throw this.#wrong("a torn object with content");
      this.#open = undefined;
      this.#last = undefined;
      visitor.torn(entry.object);
      return;
    }
    if (entry.kind === "omap") {
      if (this.#open === undefined || entry.page !== ++this.#open.pages) {
        throw this.#wrong("a page of an omap out of order");
      }
      this.#expect(this.#open.object, entry.object);
      visitor.omapPage(entry.object, this.#decodeOne(content, decodePairs));
      return;
    }
    if (this.#open !== undefined) throw this.#wrong("attributes without their object");
    this.#last = undefined;
    if ("number" in entry && !this.#numbers.take(entry.kind, entry.number)) {
      throw this.#wrong(`the entry ${entry.kind} ${entry.number} out of order`);
    }
    switch (entry.kind) {
      case "attrs": {
        this.#open = { object: entry.object, offset, pages: 0 };
        visitor.attributes(entry.object, this.#decodeOne(content, decodeAttributes), offset);
        return;
      }
      case "records":
        if (entry.number < this.#firstBatch) return;
        visitor.records(this.#decode(content, decodeRecord), offset);
        return;
      case "leases":
        visitor.leases(this.#decode(content, decodeLease));
        return;
      case "tombstones":
        visitor.tombstones(this.#decode(content, decodeTombstone));
        return;
      case "data":
        return;
    }
  }

  /** All items of a CBOR sequence. */
  #decode<T>(content: Buffer, decode: (from: CborReader) => T): T[] {
    const items: T[] = [];
    const reader = new CborReader(content);
    try {
      while (!reader.atEnd) {
        if (items.length === MAX_ENTRY_ITEMS) throw new CborError("more items than an entry has");
        items.push(decode(reader));
      }
    } catch (error) {
      throw this.#wrong("an entry that is not CBOR of this format", error);
    }
    return items;
  }

  /** The one item of an entry that is no sequence. */
  #decodeOne<T>(content: Buffer, decode: (from: CborReader) => T): T {
    const [item, another] = this.#decode(content, decode);
    if (item !== undefined && another === undefined) return item;
    throw this.#wrong("an entry that is not one item of CBOR");
  }

  #expect(a: EntryName, b: EntryName): void {
    if (isSameObject(a, b)) return;
    throw this.#wrong("entries of one object that do not stand together");
  }

  #wrong(message: string, cause?: unknown): Error {
    return damaged(message, { file: this.#file }, cause);
  }
}
