/**
 * The messages between {@link FrameOpener} and its workers. Memory is transferred with them: the garbage collector does
 * not count shared memory, so gigabytes would wait for it.
 */

/** Decrypt and decompress one frame. */
export interface FrameJob {
  readonly id: number;
  readonly sealed: ArrayBuffer;
  readonly nonce: Uint8Array;
  readonly key: Uint8Array;
  /** Whether to return prefixes of the content: the frame holds an object. */
  readonly withPrefixes: boolean;
}

/** A digest of the first bytes of the content of an object. */
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
  /** Whether the frame is not authentic: a wrong key, or changed bytes. */
  readonly unsealed?: boolean;
}
