import { throwIfAborted } from "../../errors.js";
import { CallWindow } from "../../flow/call-window.js";
import type { CephCluster } from "../../sources/ceph/cluster.js";
import { packNames } from "../../sources/ceph/name-batch.js";
import { memoryOf } from "../../sources/ceph/pairs.js";
import type { CephPool } from "../../sources/ceph/pool.js";
import type { ObjectName, WriteObject } from "../../sources/ceph/types.js";

/** Bytes of objects in flight to the cluster. */
const WINDOW_BYTES = 24 << 20;
/** Objects in flight to the cluster. */
const WINDOW_OBJECTS = 256;
/** Limits of a batch. */
const BATCH_OBJECTS = 32;
const BATCH_BYTES = 4 << 20;
/** Memory of an object beside its data and attributes: its names, and the operation. */
const OVERHEAD_BYTES = 2048;

interface Batch {
  readonly objects: WriteObject[];
  readonly done: (() => void)[];
  bytes: number;
}

/** The pools that objects are restored into, with a window of writes over all of them. */
export class PoolTargets {
  readonly #pools: ReadonlyMap<string, CephPool>;
  readonly #signal: AbortSignal;
  readonly #batches = new Map<CephPool, Batch>();
  readonly #window = new CallWindow(
    () => this.#bytes >= WINDOW_BYTES || this.#objects >= WINDOW_OBJECTS,
  );
  #bytes = 0;
  #objects = 0;
  /** Objects that the cluster has confirmed. */
  written = 0;

  private constructor(pools: ReadonlyMap<string, CephPool>, signal: AbortSignal) {
    this.#pools = pools;
    this.#signal = signal;
  }

  static async open(
    ceph: CephCluster,
    names: ReadonlyMap<string, string>,
    signal: AbortSignal,
  ): Promise<PoolTargets> {
    await ceph.checkTiers([...names.values()], "write");
    const pools = new Map<string, CephPool>();
    for (const [from, to] of names) pools.set(from, await ceph.openPool(to));
    return new PoolTargets(pools, signal);
  }

  /** The target of a pool in the archive; undefined when it is not mapped. */
  target(pool: string): CephPool | undefined {
    return this.#pools.get(pool);
  }

  /** All targets, each once. */
  pools(): Iterable<CephPool> {
    return new Set(this.#pools.values());
  }

  /** Queues an object with `bytes` of data. `done` is called when its memory is no longer needed. */
  add(pool: CephPool, object: WriteObject, bytes: number, done: () => void): void {
    let batch = this.#batches.get(pool);
    if (batch === undefined) {
      batch = { objects: [], done: [], bytes: 0 };
      this.#batches.set(pool, batch);
    }
    batch.objects.push(object);
    batch.done.push(done);
    const attributes = memoryOf(object.xattrs) + object.omapHeader.length + memoryOf(object.omap);
    batch.bytes += bytes + attributes + OVERHEAD_BYTES;
    if (batch.objects.length >= BATCH_OBJECTS || batch.bytes >= BATCH_BYTES)
      this.#send(pool, batch);
  }

  /** Resolves when there is room for more; throws the error of a failed write. */
  async ready(): Promise<void> {
    throwIfAborted(this.#signal);
    await this.#window.room();
  }

  /** Sends all queued objects, and waits for them. */
  async drain(): Promise<void> {
    for (const [pool, batch] of this.#batches) this.#send(pool, batch);
    await this.#window.drain();
  }

  /** Waits for the writes in flight, and sends nothing more. Never throws. */
  async abandon(): Promise<void> {
    for (const { done } of this.#batches.values()) for (const release of done) release();
    this.#batches.clear();
    await this.#window.settled();
  }

  /** Removes objects after all queued writes; returns how many existed. */
  async remove(pool: CephPool, names: readonly ObjectName[]): Promise<number> {
    await this.drain();
    return (await pool.remove(packNames(names), this.#signal)).length;
  }

  #send(pool: CephPool, batch: Batch): void {
    this.#batches.delete(pool);
    this.#bytes += batch.bytes;
    this.#objects += batch.objects.length;
    this.#window.start(async () => {
      try {
        await pool.write(batch.objects, this.#signal);
      } finally {
        this.#bytes -= batch.bytes;
        this.#objects -= batch.objects.length;
      }
      this.written += batch.objects.length;
      // Not after a failure: an operation may still read the memory.
      for (const done of batch.done) done();
    });
  }
}
