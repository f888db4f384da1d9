import type { CephError } from "./errors.js";

/** Objects of a pool, as operations see them. */

/** The full name of a RADOS object in a pool, in bytes: RADOS accepts any. */
export interface ObjectName {
  readonly namespace: Uint8Array;
  /** Locator key; empty when the object has none. */
  readonly locator: Uint8Array;
  readonly name: Uint8Array;
}

/**
 * Names of many objects in one buffer, so that a million names are not a million JavaScript objects. Name `i` has three
 * parts: namespace, locator, name. Part `p` of it is `bytes[offsets[3 * i + p] .. offsets[3 * i + p + 1]]`.
 */
export interface NameBatch {
  readonly count: number;
  readonly bytes: Uint8Array;
  /** `3 * count + 1` offsets. */
  readonly offsets: Uint32Array;
}

/** The state of each object of a {@link NameBatch}, by its index. */
export interface StatBatch {
  /** 0, or a negative errno (ENOENT: deleted since it was listed). */
  readonly errno: Int32Array;
  /** Bytes. */
  readonly size: Float64Array;
  /** Nanoseconds since 1970. */
  readonly mtime: BigInt64Array;
  /** RADOS object version. */
  readonly version: BigUint64Array;
}

/** A key and its value: an xattr or an omap pair. Bytes on both sides. */
export type Pair = readonly [key: Uint8Array, value: Uint8Array];

/** Bytes in shared memory: worker threads read them without a copy or a transfer. */
export interface SharedBytes {
  readonly memory: SharedArrayBuffer;
  readonly offset: number;
  readonly length: number;
}

/** An object as one read operation found it. */
export interface ReadObject extends ObjectName {
  /** Of the whole object, bytes. */
  readonly size: number;
  /** Nanoseconds since 1970. */
  readonly mtime: bigint;
  /** RADOS object version. */
  readonly version: bigint;
  readonly xattrs: readonly Pair[];
  readonly omapHeader: Uint8Array;
  /** First page of the omap. */
  readonly omap: readonly Pair[];
  /** Whether the omap goes on after `omap`: `CephPool.readOmap` reads the rest. */
  readonly omapMore: boolean;
  /** The first bytes. `CephPool.readData` reads the rest when they are fewer than `size`. */
  readonly data: SharedBytes;
  /** Gives the memory of `data` back for the next reads. Must be called once. */
  release(): void;
}

/** An object that could not be read. */
export interface ReadFailure extends ObjectName {
  readonly error: CephError;
}

/** Some of the objects of a read, in the order of the answers. */
export interface ReadGroup {
  readonly objects: readonly ReadObject[];
  /** Objects that no longer exist (ENOENT). */
  readonly vanished: readonly ObjectName[];
  readonly failures: readonly ReadFailure[];
}

/** The contents of an object to write. */
export interface ObjectContents {
  /**
   * The data in pieces, in shared or private memory. It must not change until the write ends, and never after an abort: an
   * operation that was started goes on for a moment.
   */
  readonly data: readonly Uint8Array[];
  /** Nanoseconds since 1970. */
  readonly mtime: bigint;
  readonly xattrs: readonly Pair[];
  readonly omapHeader: Uint8Array;
  readonly omap: readonly Pair[];
}

/** An object to write by one atomic operation. */
export interface WriteObject extends ObjectName, ObjectContents {}
