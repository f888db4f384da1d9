/** The messages between {@link SealPool} and its workers. */

/** Bytes outside of the chunk's own memory: `length` bytes of `memory` at `from` belong at `to` of the chunk. */
export interface Piece {
  readonly memory: SharedArrayBuffer;
  readonly from: number;
  readonly to: number;
  readonly length: number;
}

/** Gather, compress and seal one chunk. */
export interface SealJob {
  readonly kind: "seal";
  readonly id: number;
  readonly plain: SharedArrayBuffer;
  readonly plainLength: number;
  readonly pieces: readonly Piece[];
  readonly out: SharedArrayBuffer;
  readonly key: Uint8Array;
  readonly nonce: Uint8Array;
  /** Where the ciphertext goes in `out`. */
  readonly outOffset: number;
  readonly level: number;
}

/** Gather, open and decompress one chunk. */
export interface OpenJob {
  readonly kind: "open";
  readonly id: number;
  readonly pieces: readonly Piece[];
  readonly sealedLength: number;
  readonly out: SharedArrayBuffer;
  readonly key: Uint8Array;
  readonly nonce: Uint8Array;
}

export type SealPoolJob = SealJob | OpenJob;

/** The length of the result in `out`, or why the chunk is invalid. */
export interface SealPoolReply {
  readonly id: number;
  readonly length: number;
  readonly error?: string;
}

/** The error of an authentic chunk that does not hold exactly one zstd frame. */
export const NOT_ONE_FRAME = "its plaintext is not one zstd frame";
