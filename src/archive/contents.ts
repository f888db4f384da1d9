import type { BackupReader } from "./backup-reader.js";
import type { ReadOptions } from "./sealed-files.js";
import { CborError, CborReader } from "./cbor.js";
import type { Chunk } from "./seal/chunk-reader.js";
import { type EntryName, isSameObject, type NumberedEntryKind } from "./tar/entry-path.js";
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

/**
 * An item of an ARCHIVE file. An object is `attributes` and further pages of its `omap`, where it has any, then
 * `data-start`, its `data` in pieces and `data-end`. Bytes of `data` are views on the chunk that comes with them, all
 * others are copies.
 */
export type ArchiveItem =
  | {
      readonly type: "attributes";
      readonly object: EntryName;
      readonly attributes: ObjectAttributes;
      /** Of the object's first entry, in the plaintext of the file. */
      readonly offset: number;
    }
  | { readonly type: "omap"; readonly object: EntryName; readonly pairs: readonly ArchivedPair[] }
  | Exclude<TarEvent, { type: "entry" }>
  /** The items of `object` just before this one are void. */
  | { readonly type: "torn"; readonly object: EntryName }
  | {
      readonly type: "records";
      readonly records: readonly ArchivedRecord[];
      readonly offset: number;
    }
  | { readonly type: "leases"; readonly leases: readonly ArchivedLease[] }
  | { readonly type: "tombstones"; readonly tombstones: readonly Tombstone[] }
  /** A piece of the raw snapshot of etcd. */
  | {
      readonly type: "snapshot-piece";
      readonly number: number;
      readonly bytes: Buffer;
      readonly offset: number;
    };

/** The items of one chunk. Retain the chunk to use `data` after the next step. */
export interface ArchiveItems {
  readonly items: readonly ArchiveItem[];
  readonly chunk: Chunk;
}

/** The next entry numbers of a backup: from 0 without gaps, over all of its ARCHIVE files. */
export class EntryNumbers {
  readonly #next = { records: 0, leases: 0, tombstones: 0, snapshot: 0 };

  /** Entries `etcd/records/` so far. */
  get records(): number {
    return this.#next.records;
  }

  /** Whether `number` is the next of its kind; counts it. */
  take(kind: NumberedEntryKind, number: number): boolean {
    return this.#next[kind]++ === number;
  }
}

/**
 * Reads one ARCHIVE file, a batch of items for each chunk; `numbers` is shared by all files of a backup, in their order.
 * Throws DAMAGED before any item of the chunk at fault.
 */
export async function* readItems(
  backup: BackupReader,
  number: number,
  { numbers, ...options }: ReadOptions & { readonly numbers: EntryNumbers },
): AsyncGenerator<ArchiveItems, void, void> {
  const { etcd } = backup.metadata;
  const valid = { records: etcd?.firstBatch ?? 0, snapshot: etcd?.snapshot?.firstPiece ?? 0 };
  const decoder = new ItemDecoder(archiveName(number), valid, numbers);
  for await (const { events, chunk } of backup.readArchive(number, options)) {
    try {
      yield { items: decoder.decode(events), chunk };
    } finally {
      chunk.release();
    }
  }
  decoder.end();
}

class ItemDecoder {
  readonly #file: string;
  /** Entries with a lower number are void. */
  readonly #firstValid: { readonly records: number; readonly snapshot: number };
  readonly #numbers: EntryNumbers;
  /** The object whose attributes were read and whose data must follow. */
  #open: { object: EntryName; offset: number; pages: number } | undefined;
  /** The object that a torn entry can make void here. */
  #last: EntryName | undefined;

  constructor(
    file: string,
    firstValid: { readonly records: number; readonly snapshot: number },
    numbers: EntryNumbers,
  ) {
    this.#file = file;
    this.#firstValid = firstValid;
    this.#numbers = numbers;
  }

  decode(events: readonly TarEvent[]): ArchiveItem[] {
    const items: ArchiveItem[] = [];
    for (const event of events) {
      const item = event.type === "entry" ? this.#entry(event) : this.#data(event);
      if (item !== undefined) items.push(item);
    }
    return items;
  }

  #data(event: Exclude<TarEvent, { type: "entry" }>): ArchiveItem {
    if (event.type !== "data-start") return event;
    const open = this.#open;
    this.#open = undefined;
    this.#last = event.object;
    if (open === undefined) return event;
    this.#expect(open.object, event.object);
    return { ...event, offset: open.offset };
  }

  end(): void {
    if (this.#open !== undefined) throw this.#wrong("attributes without their object");
  }

  /** Undefined for records that an etcd restart made void, and for void pieces of a raw snapshot. */
  #entry({
    entry,
    content,
    offset,
  }: Extract<TarEvent, { type: "entry" }>): ArchiveItem | undefined {
    if (entry.kind === "torn") {
      const object = this.#open?.object ?? this.#last;
      if (object === undefined) throw this.#wrong("a torn entry without an object before it");
      this.#expect(object, entry.object);
      if (content.length > 0) throw this.#wrong("a torn entry with content");
      this.#open = undefined;
      this.#last = undefined;
      return { type: "torn", object };
    }
    if (entry.kind === "omap") {
      if (this.#open === undefined || entry.page !== ++this.#open.pages) {
        throw this.#wrong("a page of an omap out of order");
      }
      const { object } = entry;
      this.#expect(this.#open.object, object);
      return { type: "omap", object, pairs: this.#decodeOne(content, decodePairs) };
    }
    if (this.#open !== undefined) throw this.#wrong("attributes without their object");
    this.#last = undefined;
    if ("number" in entry && !this.#numbers.take(entry.kind, entry.number)) {
      throw this.#wrong(`the entry ${entry.kind} ${entry.number} out of order`);
    }
    switch (entry.kind) {
      case "attrs": {
        const { object } = entry;
        this.#open = { object, offset, pages: 0 };
        const attributes = this.#decodeOne(content, decodeAttributes);
        return { type: "attributes", object, attributes, offset };
      }
      case "records":
        if (entry.number < this.#firstValid.records) return undefined;
        return { type: "records", records: this.#decodeAll(content, decodeRecord), offset };
      case "leases":
        return { type: "leases", leases: this.#decodeAll(content, decodeLease) };
      case "tombstones":
        return { type: "tombstones", tombstones: this.#decodeAll(content, decodeTombstone) };
      case "snapshot": {
        const { number } = entry;
        if (number < this.#firstValid.snapshot) return undefined;
        return { type: "snapshot-piece", number, bytes: content, offset };
      }
      case "data":
        return undefined;
    }
  }

  /** All items of a CBOR sequence. */
  #decodeAll<T>(content: Buffer, decode: (from: CborReader) => T): T[] {
    const items: T[] = [];
    const reader = new CborReader(content);
    try {
      while (!reader.atEnd) {
        if (items.length === MAX_ENTRY_ITEMS)
          throw new CborError("more items than an entry may have");
        items.push(decode(reader));
      }
    } catch (error) {
      throw this.#wrong("an entry that is not CBOR of this format", error);
    }
    return items;
  }

  /** The only item of an entry. */
  #decodeOne<T>(content: Buffer, decode: (from: CborReader) => T): T {
    const [item, another] = this.#decodeAll(content, decode);
    if (item !== undefined && another === undefined) return item;
    throw this.#wrong("an entry that is not one item of CBOR");
  }

  #expect(a: EntryName, b: EntryName): void {
    if (isSameObject(a, b)) return;
    throw this.#wrong("entries of one object that are not adjacent");
  }

  #wrong(message: string, cause?: unknown): Error {
    return damaged(message, { file: this.#file }, cause);
  }
}
