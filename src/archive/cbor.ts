import { isUtf8 } from "node:buffer";

/**
 * The few forms of CBOR (RFC 8949, definite lengths, shortest heads) of INDEX items, etcd records and attributes, which
 * come by the million. METADATA.bin is read and written by a library.
 */

const NULL = Buffer.of(0xf6);

const Major = { uint: 0, negative: 1, bytes: 2, text: 3, array: 4 } as const;

/** Appends CBOR to one growing buffer. */
export class CborWriter {
  #buffer: Buffer;
  #length = 0;

  constructor(initialBytes = 4096) {
    this.#buffer = Buffer.allocUnsafeSlow(initialBytes);
  }

  get length(): number {
    return this.#length;
  }

  /** The bytes so far: a view that the next {@link reset} makes invalid. */
  view(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  reset(): void {
    this.#length = 0;
  }

  array(items: number): void {
    this.#head(Major.array, items);
  }

  /** A whole number from 0 to 2^53 - 1. */
  uint(value: number): void {
    this.#head(Major.uint, value);
  }

  /** A whole number from -2^63 to 2^64 - 1. */
  int64(value: bigint): void {
    const major = value < 0n ? Major.negative : Major.uint;
    const magnitude = value < 0n ? -1n - value : value;
    if (magnitude <= 0xffffffffn) {
      this.#head(major, Number(magnitude));
      return;
    }
    this.#room(9);
    this.#buffer[this.#length] = (major << 5) | 27;
    this.#buffer.writeBigUInt64BE(magnitude, this.#length + 1);
    this.#length += 9;
  }

  bytes(value: Uint8Array): void {
    this.#head(Major.bytes, value.length);
    this.raw(value);
  }

  text(value: string): void {
    const encoded = Buffer.from(value, "utf8");
    this.#head(Major.text, encoded.length);
    this.raw(encoded);
  }

  null(): void {
    this.raw(NULL);
  }

  /** Bytes that are CBOR already. */
  raw(value: Uint8Array): void {
    this.#room(value.length);
    this.#buffer.set(value, this.#length);
    this.#length += value.length;
  }

  #head(major: number, value: number): void {
    // It would be encoded as another item: the backup would be complete, and unreadable.
    if (!(value >= 0)) throw new RangeError(`${value} cannot be the head of a CBOR item`);
    this.#room(9);
    const buffer = this.#buffer;
    const at = this.#length;
    const type = major << 5;
    if (value < 24) {
      buffer[at] = type | value;
      this.#length = at + 1;
    } else if (value < 0x100) {
      buffer[at] = type | 24;
      buffer[at + 1] = value;
      this.#length = at + 2;
    } else if (value < 0x10000) {
      buffer[at] = type | 25;
      buffer.writeUInt16BE(value, at + 1);
      this.#length = at + 3;
    } else if (value < 0x100000000) {
      buffer[at] = type | 26;
      buffer.writeUInt32BE(value, at + 1);
      this.#length = at + 5;
    } else {
      buffer[at] = type | 27;
      buffer.writeUInt32BE(Math.floor(value / 0x100000000), at + 1);
      buffer.writeUInt32BE(value >>> 0, at + 5);
      this.#length = at + 9;
    }
  }

  #room(bytes: number): void {
    if (this.#length + bytes <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(this.#buffer.length * 2, this.#length + bytes));
    this.#buffer.copy(grown, 0, 0, this.#length);
    this.#buffer = grown;
  }
}

/** Thrown by {@link CborReader} when the next item is not of the requested type. */
export class CborError extends Error {}

/** Thrown by {@link CborReader} when the bytes end within an item. */
export class CborEnd extends CborError {
  /** @param end offset from the reader's first byte that the item needs at least */
  constructor(readonly end: number) {
    super("ends within an item");
  }
}

const MAX_INT64 = 2n ** 63n - 1n;

function notShortest(): CborError {
  return new CborError("a number in more bytes than it needs");
}

/** Reads CBOR items one after the other. Byte strings are views. */
export class CborReader {
  readonly #buffer: Buffer;
  #at: number;

  constructor(bytes: Uint8Array, at = 0) {
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = at;
  }

  get position(): number {
    return this.#at;
  }

  get atEnd(): boolean {
    return this.#at >= this.#buffer.length;
  }

  array(): number {
    return this.#number(Major.array, "an array");
  }

  uint(): number {
    return this.#number(Major.uint, "a number");
  }

  /** A whole number from -2^63 to 2^63 - 1. */
  int64(): bigint {
    const first = this.#buffer[this.#at];
    if (first === undefined) throw new CborEnd(this.#at + 1);
    const major = first >> 5;
    if (major !== Major.uint && major !== Major.negative) throw new CborError("not an integer");
    const magnitude = this.#magnitude(major);
    if (magnitude > MAX_INT64) throw new CborError("an integer outside of 64 bits");
    return major === Major.uint ? magnitude : -1n - magnitude;
  }

  /** A whole number from 0 to 2^64 - 1. */
  uint64(): bigint {
    return this.#magnitude(Major.uint);
  }

  bytes(): Buffer {
    return this.#take(this.#number(Major.bytes, "bytes"));
  }

  text(): string {
    const bytes = this.#take(this.#number(Major.text, "text"));
    if (!isUtf8(bytes)) throw new CborError("text that is not UTF-8");
    return bytes.toString("utf8");
  }

  /** Reads null if it is the next item. */
  isNull(): boolean {
    const first = this.#buffer[this.#at];
    if (first === undefined) throw new CborEnd(this.#at + 1);
    if (first !== NULL[0]) return false;
    this.#at++;
    return true;
  }

  #magnitude(major: number): bigint {
    const at = this.#at;
    if (this.#buffer[at] !== ((major << 5) | 27)) return BigInt(this.#number(major, "an integer"));
    if (at + 9 > this.#buffer.length) throw new CborEnd(at + 9);
    const magnitude = this.#buffer.readBigUInt64BE(at + 1);
    if (magnitude <= 0xffffffffn) throw notShortest();
    this.#at = at + 9;
    return magnitude;
  }

  #take(length: number): Buffer {
    const end = this.#at + length;
    if (end > this.#buffer.length) throw new CborEnd(end);
    const view = this.#buffer.subarray(this.#at, end);
    this.#at = end;
    return view;
  }

  #number(major: number, expected: string): number {
    const buffer = this.#buffer;
    const at = this.#at;
    const first = buffer[at];
    if (first === undefined) throw new CborEnd(this.#at + 1);
    if (first >> 5 !== major) throw new CborError(`not ${expected}`);
    const info = first & 31;
    if (info < 24) {
      this.#at = at + 1;
      return info;
    }
    if (info > 27) throw new CborError("an indefinite or reserved length");
    const width = 1 << (info - 24);
    const end = at + 1 + width;
    if (end > buffer.length) throw new CborEnd(end);
    this.#at = end;
    if (width === 8) {
      const value = buffer.readUInt32BE(at + 1) * 0x100000000 + buffer.readUInt32BE(at + 5);
      if (!Number.isSafeInteger(value)) throw new CborError("a number above 2^53");
      if (value < 0x100000000) throw notShortest();
      return value;
    }
    const value = buffer.readUIntBE(at + 1, width);
    // Half the width would hold a smaller number; the head itself holds one below 24.
    if (value < (width === 1 ? 24 : 2 ** (4 * width))) throw notShortest();
    return value;
  }
}
