import type { Chunk } from "../../archive/seal/chunk-reader.js";
import type { ContentsVisitor } from "../../archive/contents.js";
import type { EntryName } from "../../archive/tar/entry-path.js";
import type {
  ArchivedLease,
  ArchivedPair,
  ArchivedRecord,
  ObjectAttributes,
  Tombstone,
} from "../../archive/records.js";
import { throwIfAborted } from "../../errors.js";
import type { CephPool } from "../../sources/ceph/pool.js";
import type { ObjectName } from "../../sources/ceph/types.js";
import type { OperationContext } from "../context.js";
import type { FinalState } from "./final-state.js";
import type { EtcdTarget } from "./records.js";
import { LargeObjectRestore } from "./large-object.js";
import type { RestoreStep } from "./plan.js";
import type { PoolTargets } from "./objects.js";

/** Larger objects are written in pieces while they are read. */
const WHOLE_OBJECT_BYTES = 16 << 20;

const NO_ATTRIBUTES: ObjectAttributes = {
  xattrs: [],
  omapHeader: new Uint8Array(0),
  omap: [],
};

/** An object whose attributes were read and whose data is to come. */
interface Announced {
  readonly object: EntryName;
  readonly attributes: ObjectAttributes;
  readonly offset: number;
  /** Set from the second page of the omap on. */
  stream: LargeObjectRestore | undefined;
}

interface OpenObject {
  readonly name: EntryName;
  readonly pool: CephPool;
  readonly size: number;
  readonly mtime: bigint;
  readonly attributes: ObjectAttributes;
  readonly pieces: Buffer[];
  readonly chunks: Set<Chunk>;
  /** Set when the object is written in pieces. */
  readonly stream: LargeObjectRestore | undefined;
}

/** Writes what an archive holds into the pools and into etcd. */
export class RestoreVisitor implements ContentsVisitor {
  readonly #targets: PoolTargets | undefined;
  readonly #etcd: EtcdTarget | undefined;
  readonly #final: FinalState | undefined;
  readonly #context: OperationContext;
  /** Objects and records that will come, for progress. */
  readonly #total: number;
  #step: Omit<RestoreStep, "visit"> = {
    ordinal: 0,
    archives: 0,
    incremental: false,
    withEtcd: true,
  };
  #file = 0;
  #announced: Announced | undefined;
  #object: OpenObject | undefined;
  /** What has to be awaited before the next chunk. */
  #waiting: (() => Promise<void>)[] = [];
  /** Objects on their way in pieces. */
  readonly #large = new Set<LargeObjectRestore>();
  skippedObjects = 0;
  removedObjects = 0;
  removedKeys = 0;
  #largeWritten = 0;
  #tornWritten = 0;

  constructor(
    targets: PoolTargets | undefined,
    etcd: EtcdTarget | undefined,
    final: FinalState | undefined,
    context: OperationContext,
    total: number,
  ) {
    this.#total = total;
    this.#targets = targets;
    this.#etcd = etcd;
    this.#final = final;
    this.#context = context;
  }

  get objects(): number {
    return (this.#targets?.written ?? 0) + this.#largeWritten - this.#tornWritten;
  }

  /** Records that etcd has confirmed. */
  get restoredRecords(): number {
    return this.#etcd?.records ?? 0;
  }

  get expiredRecords(): number {
    return this.#etcd?.expired ?? 0;
  }

  /** Says which ARCHIVE file of which backup of the chain comes next. */
  enter(step: Omit<RestoreStep, "visit">, file: number): void {
    this.#step = step;
    this.#file = file;
  }

  attributes(object: EntryName, attributes: ObjectAttributes, offset: number): void {
    this.#announced = { object, attributes, offset, stream: undefined };
  }

  omapPage(object: EntryName, pairs: readonly ArchivedPair[]): void {
    const announced = this.#announced;
    if (announced === undefined) return;
    const pool = this.#wanted(object, announced.offset);
    if (pool === undefined) return;
    announced.stream ??= this.#startLarge(pool, object, announced.attributes);
    const { stream } = announced;
    this.#waiting.push(() => stream.page(pairs));
  }

  beginObject(name: EntryName, size: number, mtime: bigint, offset: number): void {
    const announced = this.#announced;
    this.#announced = undefined;
    const pool = this.#wanted(name, offset);
    if (pool === undefined) {
      if (this.#isSkipped(name, offset)) this.skippedObjects++;
      return;
    }
    const attributes = announced?.attributes ?? NO_ATTRIBUTES;
    let stream = announced?.stream;
    if (stream === undefined && size > WHOLE_OBJECT_BYTES) {
      stream = this.#startLarge(pool, name, attributes);
    }
    // After the pages that wait to be sent.
    if (stream !== undefined) {
      const begun = stream;
      this.#waiting.push(async () => begun.endPages(mtime));
    }
    this.#object = { name, pool, size, mtime, attributes, pieces: [], chunks: new Set(), stream };
  }

  data(bytes: Buffer, chunk: Chunk): void {
    const object = this.#object;
    if (object === undefined) return;
    if (object.stream !== undefined) {
      const { stream } = object;
      // The chunk may be used again before the cluster has the piece.
      const copy = Buffer.from(bytes);
      this.#waiting.push(() => stream.piece(copy));
      return;
    }
    object.pieces.push(bytes);
    if (!object.chunks.has(chunk)) {
      object.chunks.add(chunk);
      chunk.retain();
    }
  }

  endObject(): void {
    const object = this.#object;
    if (object === undefined) return;
    this.#object = undefined;
    const { stream, attributes } = object;
    if (stream !== undefined) {
      this.#waiting.push(async () => {
        await stream.end();
        this.#large.delete(stream);
        this.#largeWritten++;
      });
      return;
    }
    const { name, mtime, pieces, chunks } = object;
    this.#targets?.add(
      object.pool,
      { ...rados(name), data: pieces, mtime, ...attributes },
      object.size,
      () => {
        for (const chunk of chunks) chunk.release();
      },
    );
  }

  torn(name: EntryName): void {
    const begun = this.#announced?.stream;
    const complete = this.#announced === undefined;
    this.#announced = undefined;
    if (begun !== undefined) {
      this.#waiting.push(async () => {
        await begun.giveUp();
        this.#large.delete(begun);
      });
    }
    const pool = this.#targets?.target(name.pool);
    if (pool === undefined) {
      if (complete && this.#targets !== undefined && this.#final === undefined)
        this.skippedObjects--;
      return;
    }
    // Nothing of it was written, by its attributes alone or because another state is the last.
    if (begun === undefined && (!complete || this.#final !== undefined)) return;
    this.#waiting.push(async () => {
      const removed = (await this.#targets?.remove(pool, [rados(name)])) ?? 0;
      if (complete) this.#tornWritten += removed;
    });
  }

  leases(leases: readonly ArchivedLease[]): void {
    this.#etcd?.addLeases(leases);
  }

  tombstones(tombstones: readonly Tombstone[]): void {
    const keys: Uint8Array[] = [];
    const objects = new Map<CephPool, ObjectName[]>();
    for (const tombstone of tombstones) {
      if (tombstone.kind === "key") {
        keys.push(tombstone.key);
        continue;
      }
      const pool = this.#targets?.target(tombstone.pool);
      if (pool === undefined || this.#final?.has(tombstone)) continue;
      const names = objects.get(pool) ?? [];
      names.push(rados(tombstone));
      objects.set(pool, names);
    }
    if (keys.length > 0 && this.#etcd !== undefined && this.#step.withEtcd) {
      const etcd = this.#etcd;
      this.#waiting.push(async () => {
        this.removedKeys += await etcd.remove(keys);
      });
    }
    for (const [pool, names] of objects) {
      this.#waiting.push(async () => {
        this.removedObjects += (await this.#targets?.remove(pool, names)) ?? 0;
      });
    }
  }

  async settle(): Promise<void> {
    throwIfAborted(this.#context.signal);
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wait of waiting) await wait();
    await this.#targets?.ready();
    this.#report();
  }

  #report(): void {
    const done = this.objects + this.skippedObjects + this.restoredRecords;
    const total = Math.max(done, this.#total);
    this.#context.report({ type: "progress", phase: "restore", done, total, unit: "items" });
  }

  async finish(): Promise<void> {
    await this.settle();
    await this.#targets?.drain();
    await this.#etcd?.drain();
  }

  /** Ends what is under way after a failure. */
  async abandon(error: unknown): Promise<void> {
    for (const chunk of this.#object?.chunks ?? []) chunk.release();
    await Promise.all([...this.#large].map((stream) => stream.giveUp()));
    await this.#etcd?.abandon(error);
    await this.#targets?.abandon();
  }

  records(records: readonly ArchivedRecord[]): void {
    const etcd = this.#etcd;
    if (etcd === undefined || !this.#step.withEtcd) return;
    const { incremental } = this.#step;
    this.#waiting.push(async () => {
      if (incremental) this.removedKeys += await etcd.removeLeftOut(records);
      await etcd.put(records);
    });
  }

  /** The pool to restore an object into, when this is the state that is wanted. */
  #wanted(name: EntryName, offset: number): CephPool | undefined {
    const pool = this.#targets?.target(name.pool);
    return pool !== undefined && this.#isFinal(name, offset) ? pool : undefined;
  }

  #isSkipped(name: EntryName, offset: number): boolean {
    const targets = this.#targets;
    return (
      targets !== undefined &&
      targets.target(name.pool) === undefined &&
      this.#isFinal(name, offset)
    );
  }

  #isFinal(name: EntryName, offset: number): boolean {
    return (
      this.#final === undefined || this.#final.isAt(name, this.#step.ordinal, this.#file, offset)
    );
  }

  #startLarge(pool: CephPool, name: EntryName, attributes: ObjectAttributes): LargeObjectRestore {
    const { signal } = this.#context;
    const stream = new LargeObjectRestore(pool, rados(name), attributes, signal);
    this.#large.add(stream);
    return stream;
  }
}

function rados({ namespace, locator, name }: ObjectName): ObjectName {
  return { namespace, locator, name };
}
