import { ObjectTable } from "../index/object-table.js";
import type { OriginalObject, OriginalTime } from "./payloads.js";

const NO_LOCATOR = new Uint8Array(0);
type Name = Pick<OriginalObject, "pool" | "namespace" | "name">;

/** The place of the frame of an object. */
export interface FramePlace {
  /** Number of the ARCHIVE file. */
  readonly file: number;
  /** Number of the frame in it. */
  readonly number: number;
  /** Offset of its header. */
  readonly offset: number;
}

/** The mtimes of objects in METADATA.bin, and marks for those that the ARCHIVE files hold. */
export class ObjectTimes {
  readonly #table: ObjectTable;
  readonly #pools = new Map<string, number>();

  constructor(objects: number) {
    this.#table = new ObjectTable(objects);
  }

  get count(): number {
    return this.#table.count;
  }

  /** Objects that were not marked as seen. */
  get missing(): number {
    return this.#table.unmarked;
  }

  get pools(): string[] {
    return [...this.#pools.keys()];
  }

  add({ pool, namespace, name, mtime }: OriginalTime): void {
    let ordinal = this.#pools.get(pool);
    if (ordinal === undefined) {
      ordinal = this.#pools.size;
      this.#pools.set(pool, ordinal);
    }
    const entry = { size: 0, mtime, version: 0n, backup: 0, file: 0, offset: 0 };
    this.#table.set(ordinal, { namespace, locator: NO_LOCATOR, name }, entry);
  }

  /** Nanoseconds since 1970. */
  of(object: Name): bigint | undefined {
    const slot = this.#slot(object);
    return slot === undefined ? undefined : this.#table.entry(slot).mtime;
  }

  /** Marks an object as seen; returns its first place when it was seen before. */
  markSeen(object: Name, place: FramePlace): FramePlace | undefined {
    const slot = this.#slot(object);
    if (slot === undefined) return undefined;
    const entry = this.#table.entry(slot);
    if (this.#table.isMarked(slot)) {
      return { file: entry.file, number: entry.size, offset: entry.offset };
    }
    const { file, number, offset } = place;
    const { namespace, name } = object;
    const ordinal = this.#pools.get(object.pool) as number;
    // The table is one for objects with a size, which holds the number here.
    const seen = { ...entry, file, size: number, offset };
    this.#table.set(ordinal, { namespace, locator: NO_LOCATOR, name }, seen);
    this.#table.mark(slot);
    return undefined;
  }

  isSeen(object: Name): boolean {
    const slot = this.#slot(object);
    return slot !== undefined && this.#table.isMarked(slot);
  }

  #slot({ pool, namespace, name }: Name): number | undefined {
    const ordinal = this.#pools.get(pool);
    if (ordinal === undefined) return undefined;
    return this.#table.find(ordinal, { namespace, locator: NO_LOCATOR, name });
  }
}
