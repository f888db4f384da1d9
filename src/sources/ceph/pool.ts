import { callBinding } from "./binding-call.js";
import { CephError, ENOENT } from "./errors.js";
import { type LargeObject, writeLargeObject } from "./large-object-write.js";
import { type ListOptions, listObjects } from "./listing.js";
import { nameAt } from "./name-batch.js";
import { type ObjectPart, readData, readOmap } from "./object-parts.js";
import { ObjectReads, type ReadOptions } from "./object-reads.js";
import { REPLACE, writeObjects } from "./object-writes.js";
import type { PoolHandle } from "./librados.js";
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

/** The objects of one pool, in all namespaces, as they are now: no snapshots. */
export class CephPool {
  readonly name: string;
  /** Unique: differs from that of a removed pool of the same name. */
  readonly id: number;
  readonly #handle: PoolHandle;

  constructor(handle: PoolHandle) {
    this.name = handle.name;
    this.id = handle.id;
    this.#handle = handle;
  }

  /**
   * Names of all objects, in no particular order, with those that are deleted but kept by a snapshot: see
   * {@link countOnlyClones}.
   */
  list(options: ListOptions): AsyncGenerator<NameBatch> {
    return listObjects(this.#handle, options);
  }

  /** Whether the pool holds any object. */
  async hasObjects(signal: AbortSignal): Promise<boolean> {
    for await (const batch of this.list({ slices: 1, pageSize: 64, signal })) {
      const { errno } = await this.stat(batch, signal);
      if (errno.some((code) => code !== ENOENT)) return true;
    }
    return false;
  }

  /** Size, mtime and version of each object, in one round trip each, all at once. */
  stat(names: NameBatch, signal: AbortSignal): Promise<StatBatch> {
    const { native, number, name: pool } = this.#handle;
    return callBinding<StatBatch>(signal, { operation: "stat", pool }, (done) =>
      native.stat(number, names, done),
    );
  }

  /** Counts objects that are deleted, and listed because a snapshot keeps them. */
  countOnlyClones(names: NameBatch, signal: AbortSignal): Promise<number> {
    const { native, number, name: pool } = this.#handle;
    return callBinding<number>(signal, { operation: "list snapshots", pool }, (done) =>
      native.countOnlyClones(number, names, done),
    );
  }

  /** See {@link ObjectReads}. */
  read(
    batches: AsyncIterable<NameBatch> | Iterable<NameBatch>,
    options: ReadOptions,
  ): AsyncGenerator<ReadGroup> {
    return new ObjectReads(this.#handle, options).run(inReadingOrder(batches));
  }

  /** See {@link readData}. */
  readData(
    name: ObjectName,
    part: ObjectPart & { readonly offset: number; readonly size: number },
  ): AsyncGenerator<SharedBytes & { release(): void }> {
    return readData(this.#handle, name, part);
  }

  /** See {@link readOmap}. */
  readOmap(
    name: ObjectName,
    part: ObjectPart & { readonly after: Uint8Array },
  ): AsyncGenerator<readonly Pair[]> {
    return readOmap(this.#handle, name, part);
  }

  /** Replaces each object by one atomic operation. */
  write(objects: readonly WriteObject[], signal: AbortSignal): Promise<void> {
    return writeObjects(this.#handle, objects, REPLACE, signal);
  }

  /** Replaces an object that is too large for one operation. Not atomic. */
  writeLarge(name: ObjectName, object: LargeObject): Promise<void> {
    return writeLargeObject(this.#handle, name, object);
  }

  /** Removes objects. Returns the indices in `batch` of those that existed. */
  async remove(batch: NameBatch, signal: AbortSignal): Promise<number[]> {
    const { native, number, name: pool } = this.#handle;
    const errno = await callBinding<Int32Array>(signal, { operation: "remove", pool }, (done) =>
      native.remove(number, batch, done),
    );
    const removed: number[] = [];
    for (const [i, code] of errno.entries()) {
      if (code === 0) removed.push(i);
      else if (code !== ENOENT) {
        throw CephError.of(code, { operation: "remove", pool, object: nameAt(batch, i).name });
      }
    }
    return removed;
  }

  close(): void {
    this.#handle.native.closePool(this.#handle.number);
  }
}
