import { ZSTD_BLOCK_BYTES, zstdFrame } from "./zstd-frame.js";

/** A valid frame of about `sealed` bytes that unpacks to far more. */
export function bomb(sealed: number): Buffer {
  return zstdFrame({ blocks: Math.floor(sealed / 4), blockBytes: ZSTD_BLOCK_BYTES });
}

/** A short frame whose header claims `content` bytes. */
export function boast(content: bigint): Buffer {
  return zstdFrame({ blocks: 1, blockBytes: 1, content });
}
