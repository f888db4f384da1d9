import type { EntryName } from "../../archive/tar/entry-path.js";
import type { Place } from "../../archive/index/index-items.js";
import type { Metadata } from "../../archive/metadata.js";
import type { ObjectTable } from "../../archive/index/object-table.js";
import { throwIfAborted } from "../../errors.js";
import { quoted } from "../../quoted.js";
import type { CephCluster } from "../../sources/ceph/cluster.js";
import { CephError, ENOENT } from "../../sources/ceph/errors.js";
import { nameAt, packNames } from "../../sources/ceph/name-batch.js";
import type { CephPool } from "../../sources/ceph/pool.js";
import type { NameBatch, ObjectName, ReadObject } from "../../sources/ceph/types.js";
import { archiveLargeObject, hasLongOmap } from "./large-object.js";
import type { CreateRun } from "./run.js";
import { loadBaseObjects, writeObjectTombstones } from "./base-objects.js";
import { orderedWindow } from "../../flow/ordered-window.js";

const SLICES = 4;
const LIST_PAGE = 1024;
/** Batches of names whose state is asked for at once. */
const STAT_WINDOW = 3;
const READ_MEMORY = 64 << 20;

/** In the order of the pools. */
export type PoolIdentities = Required<
  Pick<NonNullable<Metadata["ceph"]>, "poolIds" | "poolsCreated">
>;

/**
 * Backs up the objects of `pools`, each pool with parallel listing and a window of reads. `isCovered` tells of a pool
 * of the base whether this backup speaks for it too: one that it covers and that is not there any more was deleted.
 * Returns what tells the pools from others of their names.
 */
export async function archivePools(
  run: CreateRun,
  ceph: CephCluster,
  pools: readonly string[],
  isCovered: (pool: string) => boolean,
): Promise<PoolIdentities> {
  const created = await ceph.poolsCreated();
  const gone = basePools(run).filter((pool) => !pools.includes(pool) && isCovered(pool));
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
      const comparable = isPoolOfBase(run, ceph, pool, made);
      const vanished = run.counts.vanishedObjects;
      await new PoolArchiver(run, pool, ordinal, table, { comparable, total }).run();
      if (run.counts.vanishedObjects > vanished) await requireSamePool(ceph, pool);
    } finally {
      pool.close();
    }
  }
  if (run.base !== undefined && table !== undefined && table.unmarked > 0) {
    run.counts.deletedObjects = await writeObjectTombstones(run, table, known);
  }
  return identities;
}

/**
 * Whether this is the very pool that the base knows by its name. In one that was made again since, versions began
 * anew, and a restore gives objects the times that they had before. Ids begin anew as well in a cluster that was made
 * again under its old fsid, but not the time at which the pool was made.
 */
function isPoolOfBase(
  run: CreateRun,
  { fsid }: CephCluster,
  { name, id }: CephPool,
  created: number,
): boolean {
  const known = run.base?.metadata.ceph;
  const ordinal = known?.pools.indexOf(name) ?? -1;
  if (known?.fsid !== fsid || known.poolIds?.[ordinal] !== id) return false;
  const before = known.poolsCreated?.[ordinal] ?? 0;
  return before === 0 || created === 0 || before === created;
}

/** The objects of a pool that is deleted meanwhile vanish too, and that is no backup of it. */
async function requireSamePool(ceph: CephCluster, pool: CephPool): Promise<void> {
  const now = await ceph.openPool(pool.name);
  now.close();
  if (now.id === pool.id) return;
  throw new CephError(
    "CEPH_POOL_NOT_FOUND",
    `ceph: the pool ${quoted(pool.name)} was removed, and made again, while it was read`,
    { operation: "read", pool: pool.name },
    { hint: "run it again: this backup would lack what the pool held" },
  );
}

/** For progress: the cluster's own count, where it has one. */
async function expectedObjects(
  ceph: CephCluster,
  pools: readonly string[],
  signal: AbortSignal,
): Promise<number> {
  const stats = await ceph.poolStats(pools, signal);
  return stats.reduce((sum, { objects }) => sum + objects, 0);
}

function basePools(run: CreateRun): readonly string[] {
  return run.base?.metadata.ceph?.pools ?? [];
}

class PoolArchiver {
  readonly #run: CreateRun;
  readonly #pool: CephPool;
  readonly #ordinal: number;
  readonly #table: ObjectTable | undefined;
  /** Versions of another pool say nothing here. */
  readonly #comparable: boolean;
  /** Objects of all pools, about; 0 when nobody knows. */
  readonly #total: number;

  constructor(
    run: CreateRun,
    pool: CephPool,
    ordinal: number,
    table: ObjectTable | undefined,
    { comparable, total }: { comparable: boolean; total: number },
  ) {
    this.#run = run;
    this.#pool = pool;
    this.#ordinal = ordinal;
    this.#table = table;
    this.#comparable = comparable;
    this.#total = total;
  }

  async run(): Promise<void> {
    const { signal } = this.#run.context;
    const listed = this.#pool.list({ slices: SLICES, pageSize: LIST_PAGE, signal });
    const table = this.#comparable ? this.#table : undefined;
    const wanted = table === undefined ? listed : this.#changed(listed, table);
    for await (const group of this.#pool.read(wanted, { memoryBytes: READ_MEMORY, signal })) {
      throwIfAborted(signal);
      for (const object of group.objects) await this.#archive(object);
      if (table === undefined) await this.#notThere(group.vanished);
      // They were there when they were stated.
      else this.#run.counts.vanishedObjects += group.vanished.length;
      for (const failure of group.failures) {
        this.#missing(failure, failure.error);
      }
      this.#progress();
      await this.#run.writer.ready();
    }
  }

  /** Indexes what is as in the base, and passes on the names of the rest. */
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
        const slot = table.find(this.#ordinal, name.namespace, name.locator, name.name);
        if (slot !== undefined && stat.errno[i] === 0) {
          const entry = table.entry(slot);
          if (
            entry.size === stat.size[i] &&
            entry.mtime === stat.mtime[i] &&
            entry.version === stat.version[i]
          ) {
            table.mark(slot);
            counts.unchangedObjects++;
            writer.indexObject({
              pool: this.#ordinal,
              namespace: name.namespace,
              locator: name.locator,
              name: name.name,
              ...entry,
              backup: entry.backup + 1,
            });
            continue;
          }
        }
        // Also those that could not be stated: reading them says why.
        (stat.errno[i] === ENOENT ? gone : changed).push(name);
      }
      await this.#notThere(gone);
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
        keepGoing: this.#run.keepGoing,
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
    const slot = this.#table?.find(this.#ordinal, name.namespace, name.locator, name.name);
    if (slot !== undefined) this.#table?.mark(slot);
    counts.objects++;
    counts.objectBytes += state.size;
    writer.indexObject({
      pool: this.#ordinal,
      namespace: name.namespace,
      locator: name.locator,
      name: name.name,
      size: state.size,
      mtime: state.mtime,
      version: state.version,
      backup: place.backup,
      file: place.file,
      offset: place.offset,
    });
  }

  /** Counts what was deleted since it was listed. A listing also names what was deleted before, and is kept by a snapshot. */
  async #notThere(names: readonly ObjectName[]): Promise<void> {
    if (names.length === 0) return;
    const { counts, context } = this.#run;
    const only = await this.#pool.countOnlyClones(packNames(names), context.signal);
    counts.vanishedObjects += names.length - only;
  }

  #missing({ namespace, locator, name }: ObjectName, error: CephError): void {
    if (!this.#run.keepGoing) throw error;
    this.#run.counts.missingObjects++;
    this.#run.context.report({
      type: "missing",
      pool: this.#pool.name,
      namespace,
      name,
      reason: error.message,
    });
    // What the base has of it is better than nothing, and it is not deleted.
    const slot = this.#table?.find(this.#ordinal, namespace, locator, name);
    if (slot === undefined || this.#table === undefined) return;
    this.#table.mark(slot);
    const entry = this.#table.entry(slot);
    this.#run.writer.indexObject({
      pool: this.#ordinal,
      namespace,
      locator,
      name,
      ...entry,
      // No object has version 0: what another pool held must not pass for what this one holds, next time.
      version: this.#comparable ? entry.version : 0n,
      backup: entry.backup + 1,
    });
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
