import { setMaxListeners } from "node:events";
import type { BackupFile, BackupFiles } from "../archive/backup-files.js";
import { ArchiveError } from "../archive/errors.js";
import { StoreError } from "../snapstore/errors.js";
import type { SnapStore, StoredObject } from "../snapstore/store.js";
import { ownObjects } from "./foreign-files.js";

/** Bytes of a ranged read. */
const RANGE_BYTES = 4 << 20;
/** Concurrent ranged reads of a file. */
const RANGES_AHEAD = 6;
/** Shorter reads, such as a header or a small file, are not extended to a range. */
const SMALL_BYTES = 256 << 10;

/** Reads a snapshot in a store by ranges, without temporary files. */
export class SnapshotFiles implements BackupFiles {
  readonly where: string;
  readonly #store: SnapStore;
  readonly #snapshot: string;
  readonly #signal: AbortSignal;

  constructor(store: SnapStore, snapshot: string, signal: AbortSignal) {
    this.where = `${store.name}/${snapshot}`;
    this.#store = store;
    this.#snapshot = snapshot;
    this.#signal = signal;
  }

  async list(): Promise<string[]> {
    const prefix = `${this.#snapshot}/`;
    const names: string[] = [];
    for await (const { key } of ownObjects(this.#store, this.#snapshot, this.#signal)) {
      names.push(key.slice(prefix.length));
    }
    return names;
  }

  async open(name: string): Promise<BackupFile> {
    const key = `${this.#snapshot}/${name}`;
    const object = await this.#store.head(key, this.#signal);
    if (object === undefined) {
      throw new ArchiveError("MISSING_FILE", `it is not in ${this.where}`, { file: name });
    }
    return new RangedFile(this.#store, object, this.#signal);
  }
}

/** Prefetches ranges for a sequential reader. */
class RangedFile implements BackupFile {
  readonly size: number;
  readonly #store: SnapStore;
  readonly #object: StoredObject;
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  /** By their number, from the position of the reader on. */
  readonly #ranges = new Map<number, Promise<Buffer>>();

  constructor(store: SnapStore, object: StoredObject, signal: AbortSignal) {
    this.size = object.size;
    this.#store = store;
    this.#object = object;
    this.#signal = AbortSignal.any([signal, this.#stop.signal]);
    // Each range in flight adds listeners.
    setMaxListeners(0, this.#signal);
  }

  async read(target: Uint8Array, position: number): Promise<number> {
    const length = Math.min(target.length, this.size - position);
    if (length <= 0) return 0;
    if (length <= SMALL_BYTES && this.#ranges.size === 0) {
      target.set(await this.#fetch(position, length));
      return length;
    }
    const number = Math.floor(position / RANGE_BYTES);
    for (const old of this.#ranges.keys()) if (old < number) this.#ranges.delete(old);
    const last = Math.ceil(this.size / RANGE_BYTES) - 1;
    for (let next = number; next <= Math.min(last, number + RANGES_AHEAD - 1); next++) {
      if (!this.#ranges.has(next)) this.#ranges.set(next, this.#fetchRange(next));
    }
    const range = await (this.#ranges.get(number) as Promise<Buffer>);
    const from = position - number * RANGE_BYTES;
    const piece = range.subarray(from, from + length);
    target.set(piece);
    return piece.length;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await Promise.allSettled(this.#ranges.values());
    this.#ranges.clear();
  }

  #fetchRange(number: number): Promise<Buffer> {
    const offset = number * RANGE_BYTES;
    const range = this.#fetch(offset, Math.min(RANGE_BYTES, this.size - offset));
    // The read of this range throws it.
    range.catch(() => {});
    return range;
  }

  async #fetch(offset: number, length: number): Promise<Buffer> {
    const { key, tag } = this.#object;
    const bytes = Buffer.allocUnsafeSlow(length);
    let filled = 0;
    const options = { offset, length, ifTag: tag, signal: this.#signal };
    for await (const piece of this.#store.get(key, options)) {
      if (filled + piece.length > length) throw this.#wrongLength(offset, length);
      bytes.set(piece, filled);
      filled += piece.length;
    }
    if (filled < length) throw this.#wrongLength(offset, length);
    return bytes;
  }

  #wrongLength(offset: number, length: number): Error {
    const message = `${this.#object.key}: the read of ${length} bytes at ${offset} returned another length`;
    return new StoreError("STORE_TRANSIENT", message, { store: this.#store.name });
  }
}
