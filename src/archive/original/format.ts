import { pbkdf2 } from "node:crypto";
import { promisify } from "node:util";

/**
 * The format of the original BTrDB backup tool: docs/original-archives.md. Each file is a sequence of big-endian frames:
 * magic, u32 type, u64 length of ciphertext and tag, 16 bytes nonce, ciphertext, 16 bytes tag. AES-256-GCM seals one
 * snappy block, which holds one MessagePack map.
 */

export const FRAME_MAGIC = 0xbddb55aa;
export const FRAME_HEADER_BYTES = 32;
export const NONCE_BYTES = 16;
export const TAG_BYTES = 16;
/** Longest ciphertext and tag of a frame. */
export const MAX_SEALED_BYTES = 1 << 30;
/** Longest content of a frame. */
export const MAX_PLAIN_BYTES = 1 << 30;
/** A snappy element of 3 bytes copies 64 at most, so the output is no more than this many times the input. */
export const MAX_SNAPPY_RATIO = 32;

/** What a frame holds. */
export const FrameType = { records: 10, object: 20, metadata: 30 } as const;
export type FrameType = (typeof FrameType)[keyof typeof FrameType];

export const POOLS_NAME = "pools.txt";

const SALT = "b9c4c1ee74b1db7b88c11f6dd8cab7196840ef2591d8885a313d2bf5d2866107";
const ROUNDS = 200_000;
const DERIVED_BYTES = 40;
const KEY_BYTES = 32;

/** The key of all archives under this passphrase: the salt is a constant. */
export async function deriveOriginalKey(passphrase: Uint8Array): Promise<Uint8Array> {
  const derived = await promisify(pbkdf2)(passphrase, SALT, ROUNDS, DERIVED_BYTES, "sha3-512");
  return derived.subarray(0, KEY_BYTES);
}
