import type { Chunk } from "../archive/chunk-reader.js";
import type { EntryName } from "../archive/entry-path.js";
import type {
  ArchivedLease,
  ArchivedPair,
  ArchivedRecord,
  ObjectAttributes,
  Tombstone,
} from "../archive/records.js";
import { throwIfAborted } from "../errors.js";
import type { CephPool } from "../sources/ceph/pool.js";
import type { ObjectName } from "../sources/ceph/types.js";
import type { ContentsVisitor } from "./archive-contents.js";
import { Channel } from "./channel.js";
import type { OperationContext } from "./context.js";
import type { FinalState } from "./restore-chain.js";
import type { EtcdTarget } from "./restore-etcd.js";
import type { PoolTargets } from "./restore-pools.js";

/** Larger objects are written in pieces while they are read. */
const WHOLE_OBJECT_BYTES = 16 << 20;

const NO_ATTRIBUTES: ObjectAttributes = {
  xattrs: [],
  omapHeader: new Uint8Array(0),
  omap: [],
};

interface OpenObject {
  readonly name: EntryName;
  readonly pool: CephPool;
  readonly size: number;
  readonly mtime: bigint;
  readonly pieces: Buffer[];
  readonly chunks: Set<Chunk>;
  /** Set when the object is written in pieces. */
  readonly stream: Channel<Uint8Array[]> | undefined;
}

/** Writes what an archive holds into the pools and into etcd. */
export class RestoreVisitor implements ContentsVisitor {
  readonly #targets: PoolTargets | undefined;
  readonly #etcd: EtcdTarget | undefined;
  readonly #final: FinalState | undefined;
  readonly #context: OperationContext;
  #backup = 0;
  #file = 0;
  #withEtcd = true;
  #attributes: ObjectAttributes | undefined;
  #omapPages: ArchivedPair[][] = [];
  #object: OpenObject | undefined;
  /** What has to be awaited before the next chunk. */
  #waiting: (() => Promise<void>)[] = [];
  #large: Promise<void> | undefined;
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
  ) {
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

  /** Says which ARCHIVE file of which backup of the chain comes next, and whether its records count. */
  enter(backup: number, file: number, withEtcd: boolean): void {
    this.#backup = backup;
    this.#file = file;
    this.#withEtcd = withEtcd;
  }

  attributes(_object: EntryName, attributes: ObjectAttributes): void {
    this.#attributes = attributes;
    this.#omapPages = [];
  }

  omapPage(_object: EntryName, pairs: readonly ArchivedPair[]): void {
    this.#omapPages.push([...pairs]);
  }

  beginObject(name: EntryName, size: number, mtime: bigint, offset: number): void {
    const pool = this.#targets?.target(name.pool);
    const superseded =
      this.#final !== undefined && !this.#final.isAt(name, this.#backup, this.#file, offset);
    if (pool === undefined || superseded) {
      if (pool === undefined && this.#targets !== undefined && !superseded) this.skippedObjects++;
      this.#attributes = undefined;
      this.#omapPages = [];
      return;
    }
    const inPieces = size > WHOLE_OBJECT_BYTES || this.#omapPages.length > 0;
    const stream = inPieces ? new Channel<Uint8Array[]>() : undefined;
    this.#object = { name, pool, size, mtime, pieces: [], chunks: new Set(), stream };
    if (stream !== undefined) this.#startLarge(this.#object, stream);
  }

  data(bytes: Buffer, chunk: Chunk): void {
    const object = this.#object;
    if (object === undefined) return;
    if (object.stream !== undefined) {
      const { stream } = object;
      // The chunk may be used again before the cluster has the piece.
      const copy = Buffer.from(bytes);
      this.#waiting.push(() => stream.send([copy]));
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
    if (object.stream !== undefined) {
      const { stream } = object;
      const large = this.#large;
      this.#large = undefined;
      this.#waiting.push(async () => {
        stream.end();
        await large;
        this.#largeWritten++;
      });
      return;
    }
    const attributes = this.#attributes ?? NO_ATTRIBUTES;
    this.#attributes = undefined;
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
    this.#attributes = undefined;
    this.#omapPages = [];
    const pool = this.#targets?.target(name.pool);
    if (pool === undefined) {
      if (this.#targets !== undefined && this.#final === undefined) this.skippedObjects--;
      return;
    }
    if (this.#final !== undefined) return;
    this.#waiting.push(async () => {
      const removed = (await this.#targets?.remove(pool, [rados(name)])) ?? 0;
      this.#tornWritten += removed;
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
    if (keys.length > 0 && this.#etcd !== undefined && this.#withEtcd) {
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
    this.#context.report({
      type: "progress",
      phase: "restore",
      done: this.objects,
      unit: "objects",
    });
  }

  async finish(): Promise<void> {
    await this.settle();
    await this.#targets?.drain();
    await this.#etcd?.drain();
  }

  /** Ends what is under way after a failure. */
  async abandon(error: unknown): Promise<void> {
    this.#object?.stream?.fail(error);
    for (const chunk of this.#object?.chunks ?? []) chunk.release();
    await this.#large?.catch(() => {});
    await this.#etcd?.abandon(error);
    await this.#targets?.drain().catch(() => {});
  }

  records(records: readonly ArchivedRecord[]): void {
    const etcd = this.#etcd;
    if (etcd !== undefined && this.#withEtcd) this.#waiting.push(() => etcd.put(records));
  }

  #startLarge(object: OpenObject, data: Channel<Uint8Array[]>): void {
    const { xattrs, omapHeader, omap } = this.#attributes ?? NO_ATTRIBUTES;
    const pages = [omap, ...this.#omapPages];
    this.#attributes = undefined;
    this.#omapPages = [];
    const { mtime, pool, name } = object;
    const { signal } = this.#context;
    const written = pool.writeLarge(rados(name), {
      mtime,
      xattrs,
      omapHeader,
      omap: each(pages),
      data,
      signal,
    });
    written.catch((error) => data.fail(error));
    this.#large = written;
  }
}

function rados({ namespace, locator, name }: ObjectName): ObjectName {
  return { namespace, locator, name };
}

async function* each<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}
