import { answered } from "./answered.js";
import { CephError, ENOENT } from "./errors.js";
import { type LargeObject, writeLargeObject } from "./large-object-write.js";
import { type ListOptions, listObjects } from "./listing.js";
import { nameAt } from "./name-batch.js";
import { type ObjectPart, readData, readOmap } from "./object-parts.js";
import { ObjectReads, type ReadOptions } from "./object-reads.js";
import { writeObjects } from "./object-writes.js";
import type { PoolHandle } from "./pool-handle.js";
import { inReadingOrder } from "./reading-order.js";
import type {
  NameBatch,
  ObjectName,
  Pair,
  ReadGroup,
  SharedBytes,
  StatBatch,
  WriteObject,
} from "./types.js";

/** The objects of one pool, at its head, in all namespaces. */
export class CephPool {
  readonly name: string;
  /** A pool that is removed and made again under its name has another. */
  readonly id: number;
  readonly #handle: PoolHandle;

  constructor(handle: PoolHandle) {
    this.name = handle.name;
    this.id = handle.id;
    this.#handle = handle;
  }

  /**
   * Names of all objects, in no order that means anything. Those that are deleted, and of which a snapshot keeps a
   * state, are named as well: see {@link countOnlyClones}.
   */
  list(options: ListOptions): AsyncGenerator<NameBatch> {
    return listObjects(this.#handle, options);
  }

  /** Whether there is any object. */
  async hasObjects(signal: AbortSignal): Promise<boolean> {
    for await (const batch of this.list({ slices: 1, pageSize: 64, signal })) {
      const { errno } = await this.stat(batch, signal);
      if (errno.some((code) => code !== ENOENT)) return true;
    }
    return false;
  }

  /** Size, time and version of each object, in one round trip each and all at once. */
  async stat({ count, bytes, offsets }: NameBatch, signal: AbortSignal): Promise<StatBatch> {
    const stat = {
      errno: new Int32Array(count),
      size: new Float64Array(count),
      mtime: new BigInt64Array(count),
      version: new BigUint64Array(count),
    };
    const { native, number } = this.#handle;
    const { errno, size, mtime, version } = stat;
    await answered(signal, (done) =>
      native.stat(number, bytes, offsets, errno, size, mtime, version, done),
    );
    return stat;
  }

  /** How many of these objects are deleted, and are listed because a snapshot keeps a state of them. */
  async countOnlyClones(
    { count, bytes, offsets }: NameBatch,
    signal: AbortSignal,
  ): Promise<number> {
    const errno = new Int32Array(count);
    const only = new Float64Array(count);
    const { native, number } = this.#handle;
    await answered(signal, (done) => native.onlyClones(number, bytes, offsets, errno, only, done));
    return only.reduce((sum, one) => sum + one, 0);
  }

  /** Whole objects where they fit one operation; see {@link ObjectReads}. */
  read(
    batches: AsyncIterable<NameBatch> | Iterable<NameBatch>,
    options: ReadOptions,
  ): AsyncGenerator<ReadGroup> {
    return new ObjectReads(this.#handle, options).run(inReadingOrder(batches));
  }

  /**
   * The rest of an object's data in pages.
   *
   * @throws CephError `CEPH_OBJECT_CHANGED` when it is no longer at `version`
   */
  readData(
    name: ObjectName,
    part: ObjectPart & { readonly offset: number; readonly size: number },
  ): AsyncGenerator<SharedBytes & { release(): void }> {
    return readData(this.#handle, name, part);
  }

  /**
   * The omap's pairs after a key, in pages.
   *
   * @throws CephError `CEPH_OBJECT_CHANGED` when the object is no longer at `version`
   */
  readOmap(
    name: ObjectName,
    part: ObjectPart & { readonly after: Uint8Array },
  ): AsyncGenerator<readonly Pair[]> {
    return readOmap(this.#handle, name, part);
  }

  /** Replaces each object by one atomic operation. */
  write(objects: readonly WriteObject[], signal: AbortSignal): Promise<void> {
    return writeObjects(this.#handle, objects, signal);
  }

  /** Replaces an object that is too large for one operation. Not atomic. */
  writeLarge(name: ObjectName, object: LargeObject): Promise<void> {
    return writeLargeObject(this.#handle, name, object);
  }

  /** Removes objects. Returns the indices in `batch` of those that were there. */
  async remove(batch: NameBatch, signal: AbortSignal): Promise<number[]> {
    const { native, number } = this.#handle;
    const errno = new Int32Array(batch.count);
    await answered(signal, (done) =>
      native.remove(number, batch.bytes, batch.offsets, errno, done),
    );
    const removed: number[] = [];
    for (const [i, code] of errno.entries()) {
      if (code === 0) removed.push(i);
      else if (code !== ENOENT) {
        const object = nameAt(batch, i).name;
        throw CephError.of(code, { operation: "remove", pool: this.name, object });
      }
    }
    return removed;
  }

  close(): void {
    this.#handle.native.closePool(this.#handle.number);
  }
}
