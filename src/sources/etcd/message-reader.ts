import protobuf from "protobufjs/minimal.js";

/**
 * protobufjs's reader, with the two reads of each message by hand: its own make two objects of each 64-bit number and
 * call the slow `Buffer.slice`, which doubles the time of a range's record (docs/dependencies.md).
 */
export class MessageReader extends protobuf.BufferReader {
  constructor(
    readonly response: Buffer,
    position = 0,
  ) {
    super(response);
    this.pos = position;
  }

  /** A varint below 2^53. */
  number(): number {
    const { response, len } = this;
    let value = 0;
    let scale = 1;
    let position = this.pos;
    while (position < len && scale < 2 ** 70) {
      const byte = response[position++] ?? 0;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        this.pos = position;
        return value;
      }
      scale *= 128;
    }
    throw new RangeError("a number is truncated or too long");
  }

  /** A varint as signed 64 bits. */
  bigint(): bigint {
    const { high, low } = this.int64();
    return (BigInt(high) << 32n) | BigInt(low >>> 0);
  }

  /** A view on the response. */
  override bytes(): Buffer {
    const length = this.uint32();
    const start = this.pos;
    this.skip(length);
    return this.response.subarray(start, this.pos);
  }

  /** Reads the length of a nested message; returns the position after it. */
  messageEnd(): number {
    const length = this.uint32();
    const end = this.pos + length;
    if (end > this.len) throw new RangeError("a nested message is truncated");
    return end;
  }
}
