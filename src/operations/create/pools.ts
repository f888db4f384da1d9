import type { EntryName } from "../../archive/tar/entry-path.js";
import type { Place } from "../../archive/index/index-items.js";
import type { Metadata } from "../../archive/metadata.js";
import type { ObjectTable, TableEntry } from "../../archive/index/object-table.js";
import { throwIfAborted } from "../../errors.js";
import { quoted } from "../../quoted.js";
import type { CephCluster } from "../../sources/ceph/cluster.js";
import { CephError, ENOENT } from "../../sources/ceph/errors.js";
import { nameAt, packNames } from "../../sources/ceph/name-batch.js";
import type { CephPool } from "../../sources/ceph/pool.js";
import type { NameBatch, ObjectName, ReadObject } from "../../sources/ceph/types.js";
import { archiveLargeObject, hasLongOmap } from "./large-object.js";
import type { BackupRun } from "./run.js";
import { loadBaseObjects, writeObjectTombstones } from "./base-objects.js";
import { orderedWindow } from "../../flow/ordered-window.js";
import { isCovered, type PoolChoice } from "../open/pool-choice.js";
import { isPoolOfBase, isUnchanged } from "./unchanged-objects.js";

const SLICES = 4;
const LIST_PAGE = 1024;
/** Batches of names to stat at the same time. */
const STAT_WINDOW = 3;
const READ_MEMORY = 64 << 20;

/** In the order of the pools. */
type PoolIdentities = Required<Pick<NonNullable<Metadata["ceph"]>, "poolIds" | "poolsCreated">>;

/**
 * Backs up the objects of `pools`, each pool with a parallel listing and a window of reads. A pool of the base that
 * `choice` covers and `pools` lacks was deleted. Returns the identities of the pools.
 */
export async function archivePools(
  run: BackupRun,
  ceph: CephCluster,
  pools: readonly string[],
  { keepGoing, ...choice }: PoolChoice & { readonly keepGoing: boolean },
): Promise<PoolIdentities> {
  const created = await ceph.poolsCreated();
  const gone = basePools(run).filter((pool) => !pools.includes(pool) && isCovered(pool, choice));
  const known = [...pools, ...gone];
  const table = run.base && (await loadBaseObjects(run.base, known, run.context.signal));
  for (const [ordinal, name] of known.entries()) run.writer.indexPool(ordinal, name);
  const total = await expectedObjects(ceph, pools, run.context.signal);
  const identities: { poolIds: number[]; poolsCreated: number[] } = {
    poolIds: [],
    poolsCreated: [],
  };
  for (const [ordinal, name] of pools.entries()) {
    const pool = await ceph.openPool(name);
    try {
      const made = created.get(pool.id) ?? 0;
      identities.poolIds.push(pool.id);
      identities.poolsCreated.push(made);
      const comparable = isPoolOfBase(run.base, ceph, pool, made);
      const vanished = run.counts.vanishedObjects;
      await new PoolArchiver(run, pool, ordinal, table, { comparable, keepGoing, total }).run();
      if (run.counts.vanishedObjects > vanished) await checkSamePool(ceph, pool);
    } finally {
      pool.close();
    }
  }
  if (run.base !== undefined && table !== undefined && table.unmarked > 0) {
    run.counts.deletedObjects = await writeObjectTombstones(run, table, known);
  }
  return identities;
}

/** Objects also vanish with their pool, and the backup would then lack the pool. */
async function checkSamePool(ceph: CephCluster, pool: CephPool): Promise<void> {
  const now = await ceph.openPool(pool.name);
  now.close();
  if (now.id === pool.id) return;
  throw new CephError(
    "CEPH_POOL_NOT_FOUND",
    `ceph: the pool ${quoted(pool.name)} was removed and created again while it was read`,
    { operation: "read", pool: pool.name },
    { hint: "run it again: this backup would lack the objects of the pool" },
  );
}

/** The cluster's own count of objects, for progress; 0 where it has none. */
async function expectedObjects(
  ceph: CephCluster,
  pools: readonly string[],
  signal: AbortSignal,
): Promise<number> {
  const stats = await ceph.poolStats(pools, signal);
  return stats.reduce((sum, { objects }) => sum + objects, 0);
}

function basePools(run: BackupRun): readonly string[] {
  return run.base?.metadata.ceph?.pools ?? [];
}

class PoolArchiver {
  readonly #run: BackupRun;
  readonly #pool: CephPool;
  readonly #ordinal: number;
  readonly #table: ObjectTable | undefined;
  /** Whether the base holds this pool, and not another one of its name, whose versions cannot be compared. */
  readonly #comparable: boolean;
  /** Go on without an object that cannot be read. */
  readonly #keepGoing: boolean;
  /** Objects of all pools, approximately; 0 when not known. */
  readonly #total: number;

  constructor(
    run: BackupRun,
    pool: CephPool,
    ordinal: number,
    table: ObjectTable | undefined,
    options: { comparable: boolean; keepGoing: boolean; total: number },
  ) {
    this.#run = run;
    this.#pool = pool;
    this.#ordinal = ordinal;
    this.#table = table;
    this.#comparable = options.comparable;
    this.#keepGoing = options.keepGoing;
    this.#total = options.total;
  }

  async run(): Promise<void> {
    const { signal } = this.#run.context;
    const listed = this.#pool.list({ slices: SLICES, pageSize: LIST_PAGE, signal });
    const table = this.#comparable ? this.#table : undefined;
    const wanted = table === undefined ? listed : this.#changed(listed, table);
    for await (const group of this.#pool.read(wanted, { memoryBytes: READ_MEMORY, signal })) {
      throwIfAborted(signal);
      for (const object of group.objects) await this.#archive(object);
      if (table === undefined) await this.#vanished(group.vanished);
      // They existed at the stat.
      else this.#run.counts.vanishedObjects += group.vanished.length;
      for (const failure of group.failures) this.#missing(failure, failure.error);
      this.#progress();
      await this.#run.writer.ready();
    }
  }

  /** Indexes unchanged objects, and yields the names of the others. */
  async *#changed(listed: AsyncIterable<NameBatch>, table: ObjectTable): AsyncGenerator<NameBatch> {
    const { signal } = this.#run.context;
    const { counts, writer } = this.#run;
    const stated = orderedWindow(listed, STAT_WINDOW, async (batch) => ({
      batch,
      stat: await this.#pool.stat(batch, signal),
    }));
    for await (const { batch, stat } of stated) {
      const changed: ObjectName[] = [];
      const gone: ObjectName[] = [];
      for (let i = 0; i < batch.count; i++) {
        const name = nameAt(batch, i);
        const slot = table.find(this.#ordinal, name);
        if (slot !== undefined && stat.errno[i] === 0) {
          const entry = table.entry(slot);
          if (isUnchanged(entry, stat, i)) {
            table.mark(slot);
            counts.unchangedObjects++;
            this.#indexKept(name, entry);
            continue;
          }
        }
        // The read of an object without a stat gives the error.
        (stat.errno[i] === ENOENT ? gone : changed).push(name);
      }
      await this.#vanished(gone);
      await writer.ready();
      this.#progress();
      if (changed.length > 0) yield packNames(changed);
    }
  }

  async #archive(object: ReadObject): Promise<void> {
    const { writer } = this.#run;
    const name: EntryName = {
      pool: this.#pool.name,
      namespace: object.namespace,
      locator: object.locator,
      name: object.name,
    };
    if (object.data.length < object.size || hasLongOmap(object)) {
      await this.#archiveLarge(name, object);
      return;
    }
    const place = await writer.place(object.size);
    if (object.xattrs.length > 0 || object.omapHeader.length > 0 || object.omap.length > 0) {
      writer.attributes(name, object);
    }
    writer.beginData(name, object.size, object.mtime);
    writer.data(object.data, () => object.release());
    writer.endData();
    this.#indexed(name, object, place);
  }

  async #archiveLarge(name: EntryName, object: ReadObject): Promise<void> {
    const { counts, context, writer } = this.#run;
    try {
      const state = await archiveLargeObject(writer, this.#pool, name, object, {
        keepGoing: this.#keepGoing,
        signal: context.signal,
      });
      if (state === undefined) counts.vanishedObjects++;
      else this.#indexed(name, state, state.place);
    } catch (error) {
      if (!(error instanceof CephError)) throw error;
      this.#missing(name, error);
    }
  }

  #indexed(
    name: EntryName,
    state: { size: number; mtime: bigint; version: bigint },
    place: Place,
  ): void {
    const { counts, writer } = this.#run;
    const slot = this.#table?.find(this.#ordinal, name);
    if (slot !== undefined) this.#table?.mark(slot);
    counts.objects++;
    counts.objectBytes += state.size;
    const { namespace, locator } = name;
    const { size, mtime, version } = state;
    writer.indexObject({
      pool: this.#ordinal,
      namespace,
      locator,
      name: name.name,
      size,
      mtime,
      version,
      ...place,
    });
  }

  /** Indexes an object that the base holds, with its place there. */
  #indexKept({ namespace, locator, name }: ObjectName, entry: TableEntry): void {
    const backup = entry.backup + 1;
    const pool = this.#ordinal;
    this.#run.writer.indexObject({ pool, namespace, locator, name, ...entry, backup });
  }

  /** Counts objects that were deleted since the listing, but not those that only a pool snapshot still holds. */
  async #vanished(names: readonly ObjectName[]): Promise<void> {
    if (names.length === 0) return;
    const { counts, context } = this.#run;
    const only = await this.#pool.countOnlyClones(packNames(names), context.signal);
    counts.vanishedObjects += names.length - only;
  }

  #missing(object: ObjectName, error: CephError): void {
    if (!this.#keepGoing) throw error;
    const { namespace, name } = object;
    const { counts, context } = this.#run;
    const pool = this.#pool.name;
    counts.missingObjects++;
    context.report({ type: "missing", pool, namespace, name, reason: error.message });
    // The object was not deleted: keep that of the base.
    const slot = this.#table?.find(this.#ordinal, object);
    if (slot === undefined || this.#table === undefined) return;
    this.#table.mark(slot);
    const entry = this.#table.entry(slot);
    // Version 0, which no object has: the next incremental must not find it unchanged.
    this.#indexKept(object, { ...entry, version: this.#comparable ? entry.version : 0n });
  }

  #progress(): void {
    const { counts, context } = this.#run;
    const done = counts.objects + counts.unchangedObjects;
    context.report({
      type: "progress",
      phase: "ceph",
      done,
      ...(this.#total >= done && done > 0 ? { total: this.#total } : {}),
      unit: "objects",
      bytes: counts.objectBytes,
    });
  }
}
