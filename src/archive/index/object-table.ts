import { randomBytes } from "node:crypto";
import { BackupToolError } from "../../errors.js";
import { keyedHashes } from "../crypto/keyed-hashes.js";
import type { EntryName } from "../tar/entry-path.js";

/**
 * A hash table of millions of objects with their state: open addressing over typed arrays, 55 bytes a slot at a load of
 * at most 0.9, so 61 bytes an object. Names are stored as 128-bit fingerprints under a key of this process: an attacker
 * cannot choose names that collide, and two of ten million collide with a probability of 10^-25.
 */

const MAX_LOAD = 0.9;
/** Most backups of a chain that an entry can refer to. */
const MAX_CHAIN = 0x10000;

/** The name of an object in its pool. */
type ObjectName = Omit<EntryName, "pool">;

/** State and place of one object. */
export interface TableEntry {
  readonly size: number;
  readonly mtime: bigint;
  readonly version: bigint;
  readonly backup: number;
  readonly file: number;
  readonly offset: number;
}

export class ObjectTable {
  readonly #key = randomBytes(32);
  readonly #slots: number;
  readonly #fingerprints: Uint32Array;
  readonly #size: Float64Array;
  readonly #mtime: BigInt64Array;
  readonly #version: BigInt64Array;
  readonly #offset: Float64Array;
  readonly #file: Uint32Array;
  readonly #backup: Uint16Array;
  /** 0: free, 1: taken, 2: taken and marked. */
  readonly #state: Uint8Array;
  #count = 0;
  #marked = 0;
  readonly #digest = Buffer.alloc(16);
  readonly #words = new Uint32Array(this.#digest.buffer, this.#digest.byteOffset, 4);
  #input = Buffer.alloc(4096);

  /** For at most `capacity` objects. Throws `TOO_MANY_OBJECTS` when memory cannot hold as many. */
  constructor(capacity: number) {
    this.#slots = Math.max(16, Math.ceil(capacity / MAX_LOAD) + 1);
    try {
      this.#fingerprints = new Uint32Array(4 * this.#slots);
      this.#size = new Float64Array(this.#slots);
      this.#mtime = new BigInt64Array(this.#slots);
      this.#version = new BigInt64Array(this.#slots);
      this.#offset = new Float64Array(this.#slots);
      this.#file = new Uint32Array(this.#slots);
      this.#backup = new Uint16Array(this.#slots);
      this.#state = new Uint8Array(this.#slots);
    } catch (cause) {
      throw new BackupToolError(
        "TOO_MANY_OBJECTS",
        `no memory for an index of ${capacity} objects: ${(cause as Error).message}`,
        { cause },
      );
    }
  }

  get count(): number {
    return this.#count;
  }

  /** Entries without a mark. */
  get unmarked(): number {
    return this.#count - this.#marked;
  }

  /** The slot of an object; undefined when it is not in the table. */
  find(pool: number, object: ObjectName): number | undefined {
    const slot = this.#probe(pool, object);
    return this.#state[slot] === 0 ? undefined : slot;
  }

  /**
   * Adds an object, or replaces its entry. Throws RangeError when the table is full, or the chain too long: the ordinal
   * would wrap around to another backup.
   */
  set(pool: number, object: ObjectName, entry: TableEntry): void {
    if (entry.backup >= MAX_CHAIN) {
      throw new RangeError(`a chain of more than ${MAX_CHAIN} backups`);
    }
    const slot = this.#probe(pool, object);
    if (this.#state[slot] === 0) {
      if (this.#count + 1 >= this.#slots) throw new RangeError("the object table is full");
      this.#count++;
      this.#state[slot] = 1;
      this.#fingerprints.set(this.#words, 4 * slot);
    }
    this.#size[slot] = entry.size;
    this.#mtime[slot] = entry.mtime;
    this.#version[slot] = entry.version;
    this.#offset[slot] = entry.offset;
    this.#file[slot] = entry.file;
    this.#backup[slot] = entry.backup;
  }

  entry(slot: number): TableEntry {
    return {
      size: this.#size[slot] as number,
      mtime: this.#mtime[slot] as bigint,
      version: this.#version[slot] as bigint,
      backup: this.#backup[slot] as number,
      file: this.#file[slot] as number,
      offset: this.#offset[slot] as number,
    };
  }

  /** Marks the object as seen. */
  mark(slot: number): void {
    if (this.#state[slot] !== 1) return;
    this.#state[slot] = 2;
    this.#marked++;
  }

  isMarked(slot: number): boolean {
    return this.#state[slot] === 2;
  }

  #probe(pool: number, { namespace, locator, name }: ObjectName): number {
    const length = 12 + namespace.length + locator.length + name.length;
    if (this.#input.length < length) this.#input = Buffer.alloc(2 * length);
    const input = this.#input;
    input.writeUInt32LE(pool, 0);
    input.writeUInt32LE(namespace.length, 4);
    input.writeUInt32LE(locator.length, 8);
    input.set(namespace, 12);
    input.set(locator, 12 + namespace.length);
    input.set(name, 12 + namespace.length + locator.length);
    hash(this.#digest, input.subarray(0, length), this.#key);
    const [a, b, c, d] = this.#words as unknown as [number, number, number, number];
    const fingerprints = this.#fingerprints;
    let slot = (a * 0x100000 + (b >>> 12)) % this.#slots;
    while (this.#state[slot] !== 0) {
      const at = 4 * slot;
      if (
        fingerprints[at] === a &&
        fingerprints[at + 1] === b &&
        fingerprints[at + 2] === c &&
        fingerprints[at + 3] === d
      ) {
        return slot;
      }
      slot = slot + 1 === this.#slots ? 0 : slot + 1;
    }
    return slot;
  }
}

const { hash } = await keyedHashes();
