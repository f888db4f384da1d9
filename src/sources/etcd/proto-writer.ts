/**
 * Writes protocol buffers (https://protobuf.dev/programming-guides/encoding/) into one growing
 * buffer. Fields with the default value are left out, as proto3 does. etcd's numbers here are never
 * negative, so a varint is at most nine bytes.
 */
export class ProtoWriter {
  #buffer: Buffer;
  #length = 0;

  constructor(size = 256) {
    this.#buffer = Buffer.allocUnsafe(size);
  }

  /** What was written, as a view: the writer must not be used again. */
  finish(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  bytesField(field: number, bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.startMessage(field, bytes.length);
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  stringField(field: number, text: string): void {
    this.bytesField(field, Buffer.from(text));
  }

  /** Tag and length of a message whose `length` bytes of fields are written next. */
  startMessage(field: number, length: number): void {
    this.#reserve(20);
    this.#varint((field << 3) | 2);
    this.#varint(length);
  }

  /** @param value 0 … 2^53-1 */
  numberField(field: number, value: number): void {
    if (value === 0) return;
    this.#reserve(20);
    this.#varint(field << 3);
    this.#varint(value);
  }

  /** @param value 0 … 2^63-1 */
  bigintField(field: number, value: bigint): void {
    if (value === 0n) return;
    this.#reserve(20);
    this.#varint(field << 3);
    let rest = value;
    while (rest > 0x7fn) {
      this.#buffer[this.#length++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.#buffer[this.#length++] = Number(rest);
  }

  boolField(field: number, value: boolean): void {
    if (value) this.numberField(field, 1);
  }

  #varint(value: number): void {
    let rest = value;
    while (rest > 0x7f) {
      this.#buffer[this.#length++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    this.#buffer[this.#length++] = rest;
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, 2 * this.#buffer.length));
    larger.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = larger;
  }
}

/** Bytes that {@link ProtoWriter.bytesField} takes for a field number below 16. */
export function bytesFieldSize(length: number): number {
  return length === 0 ? 0 : messageFieldSize(length);
}

/** Bytes of a nested message of `length` bytes with its tag, for a field number below 16. */
export function messageFieldSize(length: number): number {
  return 1 + varintSize(length) + length;
}

/** Bytes that {@link ProtoWriter.bigintField} takes for a field number below 16. */
export function bigintFieldSize(value: bigint): number {
  if (value === 0n) return 0;
  let size = 2;
  for (let rest = value >> 7n; rest > 0n; rest >>= 7n) size++;
  return size;
}

function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest > 0x7f; rest = Math.floor(rest / 128)) size++;
  return size;
}
