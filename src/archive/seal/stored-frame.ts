/** A block of a zstd frame holds no more than this (RFC 8878, 3.1.1.2.4). */
const BLOCK_BYTES = 128 << 10;
const BLOCK_HEADER_BYTES = 3;
/** Magic number, descriptor (single segment, content size in 4 bytes), and content size. */
const FRAME_HEADER_BYTES = 9;
/** First word of each frame (RFC 8878, 3.1.1). */
export const FRAME_MAGIC = 0xfd2fb528;
const DESCRIPTOR = 0xa0;

/**
 * A zstd frame (RFC 8878) of raw blocks, for data that does not shrink. Returns headers and views of `parts` in the
 * frame's order, so that no data is copied.
 */
export function storedFrame(parts: readonly Uint8Array[]): Uint8Array[] {
  const total = parts.reduce((sum, part) => sum + part.length, 0);
  const blocks = Math.max(1, Math.ceil(total / BLOCK_BYTES));
  const headers = Buffer.allocUnsafe(FRAME_HEADER_BYTES + blocks * BLOCK_HEADER_BYTES);
  headers.writeUInt32LE(FRAME_MAGIC, 0);
  headers.writeUInt8(DESCRIPTOR, 4);
  headers.writeUInt32LE(total, 5);
  const frame: Uint8Array[] = [headers.subarray(0, FRAME_HEADER_BYTES)];
  let part = 0;
  let from = 0;
  for (let block = 0; block < blocks; block++) {
    let left = Math.min(BLOCK_BYTES, total - block * BLOCK_BYTES);
    const at = FRAME_HEADER_BYTES + block * BLOCK_HEADER_BYTES;
    // Bit 0: last block; bits 1 and 2: type, 0 for raw; the length above them.
    headers.writeUIntLE((left << 3) | (block === blocks - 1 ? 1 : 0), at, BLOCK_HEADER_BYTES);
    frame.push(headers.subarray(at, at + BLOCK_HEADER_BYTES));
    while (left > 0) {
      const bytes = parts[part] as Uint8Array;
      const length = Math.min(left, bytes.length - from);
      if (length > 0) frame.push(bytes.subarray(from, from + length));
      left -= length;
      from += length;
      if (from === bytes.length) {
        part++;
        from = 0;
      }
    }
  }
  return frame;
}
