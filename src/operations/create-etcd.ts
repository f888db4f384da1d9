import { CborWriter } from "../archive/cbor.js";
import type { IndexedKey } from "../archive/index-items.js";
import { encodeRecord, type Tombstone } from "../archive/records.js";
import { BackupToolError, throwIfAborted } from "../errors.js";
import type { EtcdCluster } from "../sources/etcd/cluster.js";
import { EtcdError } from "../sources/etcd/errors.js";
import type { EtcdKey, EtcdRecord } from "../sources/etcd/types.js";
import { BaseKeys } from "./base-keys.js";
import type { CreateRun } from "./create-run.js";

/** Encoded records of one tar entry, about. */
const BATCH_BYTES = 1 << 20;
const TOMBSTONES_A_PAGE = 4096;
/** Compactions in the middle that are taken before the run gives up. */
const MAX_RESTARTS = 20;

/** What METADATA.bin says of etcd. */
export interface EtcdFacts {
  readonly clusterId: string;
  readonly revision: number;
  /** `etcd/records/` entries with a lower number are void: a compaction made the reading start again. */
  readonly firstBatch: number;
  /** How often the keys in INDEX.bin start again; only those after the last restart count. */
  readonly restarts: number;
}

/** The base's keys and this cluster's revisions do not fit together: every record has to be taken. */
class OtherHistory extends Error {}

/** Backs up etcd at one revision; starts again at a later one when that revision is compacted away. */
export async function archiveEtcd(run: CreateRun, etcd: EtcdCluster): Promise<EtcdFacts> {
  const base = run.base?.metadata.etcd ?? undefined;
  let sinceBase = base?.clusterId === etcd.clusterId;
  const { counts, context, writer } = run;
  for (let restarts = 0; restarts <= MAX_RESTARTS; restarts++) {
    const revision = await etcd.currentRevision(context.signal);
    if (base !== undefined && revision < base.revision) sinceBase = false;
    const firstBatch = writer.recordBatches;
    counts.records = 0;
    counts.unchangedKeys = 0;
    counts.deletedKeys = 0;
    try {
      await new EtcdArchiver(run, etcd, revision, sinceBase ? base?.revision : undefined).run();
      return { clusterId: etcd.clusterId, revision, firstBatch, restarts };
    } catch (error) {
      if (error instanceof OtherHistory) {
        sinceBase = false;
      } else if (error instanceof EtcdError && error.code === "ETCD_COMPACTED") {
        context.report({
          type: "warning",
          message: `etcd compacted revision ${revision} while it was read: starting again with etcd`,
        });
      } else {
        throw error;
      }
      writer.indexRestart();
    }
  }
  throw new BackupToolError(
    "ETCD_COMPACTED",
    `etcd compacted the revision that was being read ${MAX_RESTARTS} times`,
    { hint: "let it keep revisions for longer (--auto-compaction-retention)" },
  );
}

class EtcdArchiver {
  readonly #run: CreateRun;
  readonly #etcd: EtcdCluster;
  readonly #revision: number;
  /** Revision of the base, when what it holds still counts. */
  readonly #since: number | undefined;
  readonly #batch = new CborWriter(2 * BATCH_BYTES);
  readonly #leases = new Set<bigint>();
  #newLeases = new Set<bigint>();
  #tombstones: Tombstone[] = [];

  constructor(run: CreateRun, etcd: EtcdCluster, revision: number, since: number | undefined) {
    this.#run = run;
    this.#etcd = etcd;
    this.#revision = revision;
    this.#since = since;
  }

  async run(): Promise<void> {
    const baseKeys =
      this.#run.base === undefined
        ? undefined
        : new BaseKeys(this.#run.base, this.#run.context.signal);
    try {
      if (this.#since === undefined) await this.#everything(baseKeys);
      else await this.#changes(this.#since, baseKeys);
      if (baseKeys !== undefined) await this.#gone(await baseKeys.rest());
      await this.#flushTombstones();
    } finally {
      await baseKeys?.close();
    }
  }

  async #everything(baseKeys: BaseKeys | undefined): Promise<void> {
    const { signal } = this.#run.context;
    for await (const page of this.#etcd.readRecords({ revision: this.#revision, signal })) {
      throwIfAborted(signal);
      for (const record of page) {
        if (baseKeys !== undefined) await this.#gone(await baseKeys.before(record.key));
      }
      await this.#archive(page);
    }
  }

  /** Walks all keys, the base's keys and the changed records side by side, all in key order. */
  async #changes(since: number, baseKeys: BaseKeys | undefined): Promise<void> {
    const { signal } = this.#run.context;
    const revision = this.#revision;
    const changed = this.#etcd.readRecords({ revision, modifiedAfter: since, signal });
    const records = changed[Symbol.asyncIterator]();
    let page: readonly EtcdRecord[] = [];
    let at = 0;
    let taken: EtcdRecord[] = [];
    try {
      for await (const keys of this.#etcd.readKeys({ revision, signal })) {
        throwIfAborted(signal);
        for (const key of keys) {
          if (baseKeys !== undefined) await this.#gone(await baseKeys.before(key.key));
          if (key.modRevision <= since) {
            // The index is in key order, so what was taken before this key goes out first.
            if (taken.length > 0) await this.#archive(taken);
            taken = [];
            this.#unchanged(key, baseKeys?.at(key.key));
            continue;
          }
          while (at >= page.length) {
            const next = await records.next();
            if (next.done) throw new OtherHistory("a changed key without its record");
            page = next.value;
            at = 0;
          }
          const record = page[at++] as EtcdRecord;
          if (Buffer.compare(record.key, key.key) !== 0) {
            throw new OtherHistory("keys and records are not in step");
          }
          taken.push(record);
        }
        if (taken.length > 0) await this.#archive(taken);
        taken = [];
      }
    } finally {
      await records.return?.();
    }
  }

  #unchanged(key: EtcdKey, inBase: IndexedKey | undefined): void {
    const same = inBase?.modRevision === key.modRevision && inBase.version === key.version;
    if (inBase === undefined || !same) throw new OtherHistory("the base has another history");
    this.#run.counts.unchangedKeys++;
    this.#run.writer.indexKey({
      key: key.key,
      modRevision: key.modRevision,
      version: key.version,
      backup: inBase.backup + 1,
      file: inBase.file,
      offset: inBase.offset,
    });
  }

  async #archive(records: readonly EtcdRecord[]): Promise<void> {
    const { counts, writer, context } = this.#run;
    let from = 0;
    while (from < records.length) {
      this.#batch.reset();
      let to = from;
      while (to < records.length && this.#batch.length < BATCH_BYTES) {
        const record = records[to++] as EtcdRecord;
        encodeRecord(this.#batch, record);
        if (record.lease !== 0n && !this.#leases.has(record.lease)) {
          this.#leases.add(record.lease);
          this.#newLeases.add(record.lease);
        }
      }
      await this.#writeLeases();
      const place = await writer.place(this.#batch.length);
      writer.records(this.#batch.view());
      for (let i = from; i < to; i++) {
        const { key, modRevision, version } = records[i] as EtcdRecord;
        const { backup, file, offset } = place;
        writer.indexKey({ key, modRevision, version, backup, file, offset });
      }
      counts.records += to - from;
      from = to;
      await writer.ready();
    }
    context.report({ type: "progress", phase: "etcd", done: counts.records, unit: "records" });
  }

  /** Leases stand before the first records that refer to them, so a restore never looks ahead. */
  async #writeLeases(): Promise<void> {
    if (this.#newLeases.size === 0) return;
    const leases = await this.#etcd.readLeases(this.#newLeases, this.#run.context.signal);
    this.#newLeases = new Set();
    await this.#run.writer.place(0);
    this.#run.writer.leases(leases);
  }

  async #gone(keys: readonly Uint8Array[]): Promise<void> {
    for (const key of keys) {
      this.#tombstones.push({ kind: "key", key });
      this.#run.counts.deletedKeys++;
    }
    if (this.#tombstones.length >= TOMBSTONES_A_PAGE) await this.#flushTombstones();
  }

  async #flushTombstones(): Promise<void> {
    if (this.#tombstones.length === 0) return;
    await this.#run.writer.place(0);
    this.#run.writer.tombstones(this.#tombstones);
    this.#tombstones = [];
    await this.#run.writer.ready();
  }
}
