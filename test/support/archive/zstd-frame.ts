/** The longest block of RFC 8878. */
export const ZSTD_BLOCK_BYTES = 128 << 10;

/** A Zstandard frame of run-length blocks (RFC 8878, 3.1.1): four bytes each, however long the run. */
export function zstdFrame(options: {
  blocks: number;
  blockBytes: number;
  /** Frame_Content_Size, when the header is to claim one. */
  content?: bigint;
}): Buffer {
  const { blocks, blockBytes, content } = options;
  // Frame_Content_Size_flag 3 is a field of eight bytes; 0 is none. The window is 128 KiB.
  const header = [0x28, 0xb5, 0x2f, 0xfd, content === undefined ? 0x00 : 0xc0, 0x38];
  const size = Buffer.alloc(content === undefined ? 0 : 8);
  if (content !== undefined) size.writeBigUInt64LE(content);
  const out = Buffer.alloc(4 * blocks);
  for (let i = 0; i < blocks; i++) {
    const last = i === blocks - 1 ? 1 : 0;
    out.writeUIntLE((blockBytes << 3) | (1 << 1) | last, 4 * i, 3);
  }
  return Buffer.concat([Buffer.from(header), size, out]);
}
