import type { ArchiveItem, ArchiveItems } from "../../archive/contents.js";
import type { ArchivedRecord, ObjectAttributes, Tombstone } from "../../archive/records.js";
import type { Chunk } from "../../archive/seal/chunk-reader.js";
import type { EntryName } from "../../archive/tar/entry-path.js";
import { throwIfAborted } from "../../errors.js";
import type { CephPool } from "../../sources/ceph/pool.js";
import type { ObjectName } from "../../sources/ceph/types.js";
import type { OperationContext } from "../context.js";
import type { FinalState } from "./final-state.js";
import { ItemCursor } from "./item-cursor.js";
import { TornObject, restoreLargeObject } from "./large-object.js";
import type { PoolTargets } from "./objects.js";
import type { RestoreStep } from "./plan.js";
import type { EtcdTarget } from "./records.js";

/** Larger objects are written in pieces while they are read. */
const WHOLE_OBJECT_BYTES = 16 << 20;

const NO_ATTRIBUTES: ObjectAttributes = { xattrs: [], omapHeader: new Uint8Array(0), omap: [] };

type Item<T extends ArchiveItem["type"]> = Extract<ArchiveItem, { type: T }>;

/** An object to write once all of its data was read. */
interface WholeObject {
  readonly pool: CephPool;
  readonly start: Item<"data-start">;
  readonly attributes: ObjectAttributes;
  readonly pieces: Buffer[];
  readonly chunks: Set<Chunk>;
}

/** Writes the items of ARCHIVE files into pools and etcd. */
export class Restorer {
  readonly #targets: PoolTargets | undefined;
  readonly #etcd: EtcdTarget | undefined;
  readonly #final: FinalState | undefined;
  readonly #context: Pick<OperationContext, "report" | "signal">;
  /** Objects and records to restore, for progress. */
  readonly #total: number;
  #step: Pick<RestoreStep, "ordinal" | "incremental" | "withEtcd">;
  #file = 0;
  /** Attributes of an object whose data follows. */
  #attributes: Item<"attributes"> | undefined;
  #object: WholeObject | undefined;
  skippedObjects = 0;
  removedObjects = 0;
  removedKeys = 0;
  #largeWritten = 0;
  #tornWritten = 0;

  constructor(
    targets: { readonly pools: PoolTargets | undefined; readonly etcd: EtcdTarget | undefined },
    final: FinalState | undefined,
    context: Pick<OperationContext, "report" | "signal">,
    total: number,
  ) {
    this.#total = total;
    this.#targets = targets.pools;
    this.#etcd = targets.etcd;
    this.#final = final;
    this.#context = context;
    this.#step = { ordinal: 0, incremental: false, withEtcd: true };
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

  /** Restores one backup. Throws the errors of reading and writing. */
  async restore(step: RestoreStep): Promise<void> {
    this.#step = step;
    for (let file = 0; file < step.archives; file++) {
      this.#file = file;
      await this.#archive(step.items(file, this.#context.signal));
    }
    // A later backup of the chain may write the same keys and objects.
    await this.#targets?.drain();
    await this.#etcd?.drain();
  }

  async #archive(batches: AsyncIterable<ArchiveItems>): Promise<void> {
    const cursor = new ItemCursor(batches, async () => {
      throwIfAborted(this.#context.signal);
      await this.#targets?.ready();
      this.#progress();
    });
    try {
      while (await cursor.advance()) {
        for (let item = cursor.take(); item !== undefined; item = cursor.take()) {
          const waiting = this.#item(item, cursor);
          if (waiting !== undefined) await waiting;
        }
      }
    } catch (error) {
      // The first error counts, also where the file cannot be closed.
      await cursor.close().catch(() => {});
      throw error;
    }
  }

  /** Ends what is under way after a failure. */
  async abandon(error: unknown): Promise<void> {
    for (const chunk of this.#object?.chunks ?? []) chunk.release();
    await this.#etcd?.abandon(error);
    await this.#targets?.abandon();
  }

  /** Returns a promise if the item takes time. */
  #item(item: ArchiveItem, cursor: ItemCursor): Promise<void> | undefined {
    switch (item.type) {
      case "attributes":
        this.#attributes = item;
        return;
      case "omap":
        return this.#omapPage(item, cursor);
      case "data-start":
        return this.#dataStart(item, cursor);
      case "data":
        this.#object?.pieces.push(item.bytes);
        this.#keep(cursor.chunk);
        return;
      case "data-end":
        this.#dataEnd();
        return;
      case "torn":
        return this.#torn(item.object);
      case "records":
        return this.#records(item.records);
      case "leases":
        this.#etcd?.addLeases(item.leases);
        return;
      case "tombstones":
        return this.#tombstones(item.tombstones);
      case "snapshot-piece":
        return;
    }
  }

  /** Writes an object with an omap of several pages while it is read. */
  #omapPage(page: Item<"omap">, cursor: ItemCursor): Promise<void> | undefined {
    const attributes = this.#attributes;
    const pool = attributes && this.#wanted(page.object, attributes.offset);
    return pool && this.#large(pool, page, cursor);
  }

  #dataStart(start: Item<"data-start">, cursor: ItemCursor): Promise<void> | undefined {
    const { object, offset, size } = start;
    const pool = this.#wanted(object, offset);
    if (pool !== undefined && size > WHOLE_OBJECT_BYTES) return this.#large(pool, start, cursor);
    const attributes = this.#attributes?.attributes ?? NO_ATTRIBUTES;
    this.#attributes = undefined;
    if (pool !== undefined) {
      this.#object = { pool, start, attributes, pieces: [], chunks: new Set() };
    } else if (this.#isUnmapped(object) && this.#isFinal(object, offset)) this.skippedObjects++;
    return undefined;
  }

  /** Writes an object while it is read, up to the end of its data. */
  async #large(
    pool: CephPool,
    first: Item<"omap" | "data-start">,
    cursor: ItemCursor,
  ): Promise<void> {
    const attributes = this.#attributes?.attributes ?? NO_ATTRIBUTES;
    this.#attributes = undefined;
    const name = rados(first.object);
    const { signal } = this.#context;
    try {
      await restoreLargeObject(pool, name, attributes, { first, cursor, signal });
      this.#largeWritten++;
    } catch (error) {
      if (!(error instanceof TornObject)) throw error;
      await this.#targets?.remove(pool, [name]);
    }
  }

  #keep(chunk: Chunk): void {
    const chunks = this.#object?.chunks;
    if (chunks === undefined || chunks.has(chunk)) return;
    chunks.add(chunk);
    chunk.retain();
  }

  #dataEnd(): void {
    if (this.#object === undefined) return;
    const { pool, start, attributes, pieces, chunks } = this.#object;
    this.#object = undefined;
    const { object, size, mtime } = start;
    this.#targets?.add(pool, { ...rados(object), data: pieces, mtime, ...attributes }, size, () => {
      for (const chunk of chunks) chunk.release();
    });
  }

  /** Removes the last written state of `object`, which is void. */
  async #torn(object: EntryName): Promise<void> {
    const complete = this.#attributes === undefined;
    this.#attributes = undefined;
    // Nothing was written or counted: only attributes were read, or another state is the last.
    if (!complete || this.#final !== undefined || this.#targets === undefined) return;
    const pool = this.#targets.target(object.pool);
    if (pool === undefined) this.skippedObjects--;
    else this.#tornWritten += await this.#targets.remove(pool, [rados(object)]);
  }

  async #records(records: readonly ArchivedRecord[]): Promise<void> {
    if (this.#etcd === undefined || !this.#step.withEtcd) return;
    if (this.#step.incremental) this.removedKeys += await this.#etcd.removeLeftOut(records);
    await this.#etcd.put(records);
  }

  async #tombstones(tombstones: readonly Tombstone[]): Promise<void> {
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
      this.removedKeys += await this.#etcd.remove(keys);
    }
    for (const [pool, names] of objects) {
      this.removedObjects += (await this.#targets?.remove(pool, names)) ?? 0;
    }
  }

  #progress(): void {
    const done = this.objects + this.skippedObjects + this.restoredRecords;
    const total = Math.max(done, this.#total);
    this.#context.report({ type: "progress", phase: "restore", done, total, unit: "items" });
  }

  /** The pool to restore an object into; undefined when this state is not its last. */
  #wanted(name: EntryName, offset: number): CephPool | undefined {
    const pool = this.#targets?.target(name.pool);
    return pool !== undefined && this.#isFinal(name, offset) ? pool : undefined;
  }

  #isUnmapped({ pool }: EntryName): boolean {
    return this.#targets !== undefined && this.#targets.target(pool) === undefined;
  }

  #isFinal(name: EntryName, offset: number): boolean {
    return (
      this.#final === undefined || this.#final.isAt(name, this.#step.ordinal, this.#file, offset)
    );
  }
}

function rados({ namespace, locator, name }: ObjectName): ObjectName {
  return { namespace, locator, name };
}
