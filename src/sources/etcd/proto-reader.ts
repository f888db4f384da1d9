import { EtcdError } from "./errors.js";

/**
 * Reads protocol buffers without copying: byte fields are views on the message. Any input ends in
 * values or in an {@link EtcdError} `ETCD_PROTOCOL`, never out of bounds.
 */
export class ProtoReader {
  readonly #buffer: Buffer;
  #at: number;
  #end: number;

  constructor(buffer: Buffer, start = 0, end = buffer.length) {
    this.#buffer = buffer;
    this.#at = start;
    this.#end = end;
  }

  get position(): number {
    return this.#at;
  }

  get more(): boolean {
    return this.#at < this.#end;
  }

  /** The next tag: field number in the upper bits, wire type in the lower three. */
  tag(): number {
    return this.number();
  }

  /** A varint below 2^53; larger ones lose their low bits, as any number does. */
  number(): number {
    const buffer = this.#buffer;
    let byte = this.#byte();
    if (byte < 0x80) return byte;
    let value = byte & 0x7f;
    let scale = 128;
    for (let i = 0; i < 9; i++) {
      if (this.#at >= this.#end) throw truncated();
      byte = buffer[this.#at++] as number;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
    throw broken("a number is too long");
  }

  /** A varint as unsigned 64 bits. */
  uint64(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw broken("a number is too long");
  }

  /** A varint as signed 64 bits. */
  int64(): bigint {
    return BigInt.asIntN(64, this.uint64());
  }

  bytes(): Buffer {
    const length = this.number();
    const start = this.#at;
    if (length > this.#end - start) throw truncated();
    this.#at = start + length;
    return this.#buffer.subarray(start, start + length);
  }

  /** Reads the length of a nested message and limits this reader to it; {@link leave} goes back. */
  enter(): number {
    const length = this.number();
    if (length > this.#end - this.#at) throw truncated();
    const outer = this.#end;
    this.#end = this.#at + length;
    return outer;
  }

  leave(outer: number): void {
    this.#at = this.#end;
    this.#end = outer;
  }

  skip(tag: number): void {
    let length: number;
    switch (tag & 7) {
      case 0:
        this.number();
        return;
      case 1:
        length = 8;
        break;
      case 2:
        length = this.number();
        break;
      case 5:
        length = 4;
        break;
      default:
        throw broken("an unknown wire type");
    }
    if (length > this.#end - this.#at) throw truncated();
    this.#at += length;
  }

  #byte(): number {
    if (this.#at >= this.#end) throw truncated();
    return this.#buffer[this.#at++] as number;
  }
}

function truncated(): EtcdError {
  return broken("it is cut short");
}

function broken(what: string): EtcdError {
  return new EtcdError("ETCD_PROTOCOL", `an answer of etcd cannot be read: ${what}`);
}
