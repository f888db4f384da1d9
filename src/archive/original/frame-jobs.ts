/**
 * The messages between {@link FrameOpener} and its workers. Their memory goes with them: what is
 * shared instead is not counted by the garbage collector, and it came to wait with gigabytes.
 */

/** Decrypt and decompress one frame. */
export interface FrameJob {
  readonly id: number;
  readonly sealed: ArrayBuffer;
  readonly nonce: Uint8Array;
  readonly key: Uint8Array;
  /** The frame holds an object: say what its content begins with. */
  readonly withPrefixes: boolean;
}

/** What the content of an object begins with: digests of its first so many bytes. */
export interface ContentPrefix {
  /** A power of two, 16 or more. */
  readonly bytes: number;
  /** 128 bits of SHA-256, hex. */
  readonly digest: string;
}

export interface FrameReply {
  readonly id: number;
  readonly plain?: ArrayBuffer;
  readonly prefixes?: readonly ContentPrefix[];
  /** Why the frame cannot be read. */
  readonly error?: string;
  /** Whether it is the seal that does not open: a wrong key, or other bytes than were written. */
  readonly unsealed?: boolean;
}
