/** Thrown by {@link MsgpackReader} when the next item is not of the requested type. */
export class MsgpackError extends Error {}

const MAX_DEPTH = 8;

/**
 * Reads MessagePack items one after the other, and skips others. Byte strings are views. A library would turn all of a
 * frame into objects, many times its size: a forged count must not decide how much memory it takes (docs/decisions.md).
 */
export class MsgpackReader {
  readonly #bytes: Buffer;
  #at: number;

  constructor(bytes: Uint8Array, at = 0) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = at;
  }

  get position(): number {
    return this.#at;
  }

  get atEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** The number of pairs of a map, which follow. */
  map(): number {
    const head = this.#uint(1);
    if (head >> 4 === 0x8) return head & 15;
    if (head === 0xde) return this.#uint(2);
    if (head === 0xdf) return this.#uint(4);
    throw new MsgpackError("not a map");
  }

  /** The number of items of an array, which follow; nil is an empty array, as Go writes a nil slice. */
  array(): number {
    const head = this.#uint(1);
    if (head >> 4 === 0x9) return head & 15;
    if (head === 0xc0) return 0;
    if (head === 0xdc) return this.#uint(2);
    if (head === 0xdd) return this.#uint(4);
    throw new MsgpackError("not an array");
  }

  /** The bytes of a string or of binary data; nil is empty. Strings need not be UTF-8. */
  bytes(): Buffer {
    const head = this.#uint(1);
    if (head === 0xc0) return this.#take(0);
    const length = this.#blobLength(head);
    if (length === undefined) throw new MsgpackError("neither a string nor bytes");
    return this.#take(length);
  }

  /** A string as UTF-8. */
  text(): string {
    return this.bytes().toString("utf8");
  }

  /** A whole number from -2^63 to 2^64 - 1. */
  integer(): bigint {
    const head = this.#uint(1);
    if (head < 0x80) return BigInt(head);
    if (head >= 0xe0) return BigInt(head - 0x100);
    if (head >= 0xcc && head <= 0xcf) return this.#big(1 << (head - 0xcc), false);
    if (head >= 0xd0 && head <= 0xd3) return this.#big(1 << (head - 0xd0), true);
    throw new MsgpackError("not a whole number");
  }

  /** Skips one item of any type. */
  skip(): void {
    const left = [1];
    while (left.length > 0) {
      const top = left.length - 1;
      if (left[top] === 0) {
        left.pop();
        continue;
      }
      left[top] = (left[top] as number) - 1;
      const items = this.#skipHead();
      if (items === 0) continue;
      if (left.length > MAX_DEPTH) throw new MsgpackError("nested too deep");
      left.push(items);
    }
  }

  /** Skips the head of an item; returns how many items it contains. */
  #skipHead(): number {
    const head = this.#uint(1);
    if (head < 0x80 || head >= 0xe0) return 0;
    if (head < 0x90) return 2 * (head & 15);
    if (head < 0xa0) return head & 15;
    const length = this.#blobLength(head);
    if (length !== undefined) {
      this.#take(length);
      return 0;
    }
    switch (head) {
      case 0xc0:
      case 0xc2:
      case 0xc3:
        return 0;
      case 0xdc:
        return this.#uint(2);
      case 0xdd:
        return this.#uint(4);
      case 0xde:
        return 2 * this.#uint(2);
      case 0xdf:
        return 2 * this.#uint(4);
    }
    const width = fixedWidth(head);
    if (width === undefined) throw new MsgpackError("an item of an unsupported type");
    this.#take(width);
    return 0;
  }

  #blobLength(head: number): number | undefined {
    if (head >> 5 === 0b101) return head & 31;
    if (head >= 0xc4 && head <= 0xc6) return this.#uint(1 << (head - 0xc4));
    if (head >= 0xd9 && head <= 0xdb) return this.#uint(1 << (head - 0xd9));
    return undefined;
  }

  #take(length: number): Buffer {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new MsgpackError("ends within an item");
    const view = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return view;
  }

  #uint(width: number): number {
    return this.#take(width).readUIntBE(0, width);
  }

  #big(width: number, signed: boolean): bigint {
    const bytes = this.#take(width);
    if (width === 8) return signed ? bytes.readBigInt64BE() : bytes.readBigUInt64BE();
    return BigInt(signed ? bytes.readIntBE(0, width) : bytes.readUIntBE(0, width));
  }
}

/** Bytes after the head of a float or an integer. */
function fixedWidth(head: number): number | undefined {
  if (head === 0xca) return 4;
  if (head === 0xcb) return 8;
  if (head >= 0xcc && head <= 0xcf) return 1 << (head - 0xcc);
  if (head >= 0xd0 && head <= 0xd3) return 1 << (head - 0xd0);
  return undefined;
}
