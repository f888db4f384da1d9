/**
 * What the Ceph source hands to operations. It knows nothing of archives: an object is a name, a
 * state, attributes and bytes.
 */

/** A RADOS object's full name in one pool. Bytes, not text: RADOS takes any. */
export interface ObjectName {
  readonly namespace: Uint8Array;
  /** Locator key; empty when the object has none. */
  readonly locator: Uint8Array;
  readonly name: Uint8Array;
}

/**
 * Names of many objects in one buffer, so that a million of them cost no million JavaScript objects.
 * Name `i` is three parts, namespace, locator, name; part `p` of it is
 * `bytes[offsets[3 * i + p] .. offsets[3 * i + p + 1]]`.
 */
export interface NameBatch {
  readonly count: number;
  readonly bytes: Uint8Array;
  /** `3 * count + 1` offsets. */
  readonly offsets: Uint32Array;
}

/** The state of each object of a {@link NameBatch}, by its index. */
export interface StatBatch {
  /** 0, or the negative errno of the stat (ENOENT: vanished since it was listed). */
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

/** Bytes in shared memory, so that workers read them without a copy or a transfer. */
export interface SharedBytes {
  readonly memory: SharedArrayBuffer;
  readonly offset: number;
  readonly length: number;
}

/** One object as the first read operation found it. */
export interface ReadObject extends ObjectName {
  /** Whole size of the object, bytes. */
  readonly size: number;
  readonly mtime: bigint;
  readonly version: bigint;
  readonly xattrs: readonly Pair[];
  readonly omapHeader: Uint8Array;
  /** First page of the omap. */
  readonly omap: readonly Pair[];
  /** Whether the omap goes on after `omap`; then read it with `CephPool.readOmap`. */
  readonly omapMore: boolean;
  /** The first `data.length` bytes; when shorter than `size`, the rest comes from `CephPool.readData`. */
  readonly data: SharedBytes;
  /** Gives the memory of `data` back for the next reads; call once, when the bytes are no longer needed. */
  release(): void;
}

/** An object that could not be read: what a run that keeps going counts and lists. */
export interface ReadFailure extends ObjectName {
  /** Positive errno number, and its name. */
  readonly errno: number;
  readonly errnoName: string;
  readonly message: string;
}

/** What a read of many objects yields, in the order in which the cluster answered. */
export interface ReadGroup {
  readonly objects: readonly ReadObject[];
  /** Objects that no longer exist (ENOENT). */
  readonly vanished: readonly ObjectName[];
  readonly failures: readonly ReadFailure[];
}

/** A small or middle-sized object to put back with one atomic operation. */
export interface WriteObject extends ObjectName {
  /**
   * The data in pieces, in order; views on shared or private memory. It stays unchanged until the write is
   * over, and for good when the write was aborted: what had been started goes on for a moment.
   */
  readonly data: readonly Uint8Array[];
  readonly mtime: bigint;
  readonly xattrs: readonly Pair[];
  readonly omapHeader: Uint8Array;
  readonly omap: readonly Pair[];
}
