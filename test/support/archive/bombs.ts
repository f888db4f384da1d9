import { ZSTD_BLOCK_BYTES, zstdFrame } from "./zstd-frame.js";

/** A frame of about `sealed` bytes that says honestly, block by block, that it holds far more. */
export function bomb(sealed: number): Buffer {
  return zstdFrame({ blocks: Math.floor(sealed / 4), blockBytes: ZSTD_BLOCK_BYTES });
}

/** A short frame whose header claims `content` bytes. */
export function boast(content: bigint): Buffer {
  return zstdFrame({ blocks: 1, blockBytes: 1, content });
}
