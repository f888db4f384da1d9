import { CborWriter } from "../../archive/cbor.js";
import type { IndexedKey } from "../../archive/index/index-items.js";
import type { Metadata } from "../../archive/metadata.js";
import { digestEncodedRecord, RecordDigester } from "../../archive/record-digest.js";
import { encodeRecord } from "../../archive/records.js";
import { BackupToolError, throwIfAborted } from "../../errors.js";
import type { EtcdCluster } from "../../sources/etcd/cluster.js";
import { EtcdError } from "../../sources/etcd/errors.js";
import type { EtcdRecord } from "../../sources/etcd/types.js";
import { BaseRecords } from "./base-records.js";
import type { BackupRun } from "./run.js";
import { TombstonePages } from "./tombstones.js";

/** Approximate bytes of encoded records in one tar entry. */
const BATCH_BYTES = 1 << 20;
/** Restarts after a compaction, before the run fails. */
const MAX_RESTARTS = 20;

/**
 * Backs up the records of etcd at one revision; starts again at a later one when that revision is compacted away.
 *
 * @param wanted the revision to begin with; by default the current one
 */
export async function archiveRecords(
  run: BackupRun,
  etcd: EtcdCluster,
  wanted?: number,
): Promise<NonNullable<Metadata["etcd"]>> {
  const { counts, context, writer } = run;
  const tombstones = new TombstonePages(writer);
  for (let restarts = 0; restarts <= MAX_RESTARTS; restarts++) {
    const isFirst = restarts === 0;
    const revision = (isFirst && wanted) || (await etcd.currentRevision(context.signal));
    const firstBatch = writer.recordBatches;
    counts.records = 0;
    counts.unchangedKeys = 0;
    tombstones.restart();
    try {
      await new EtcdArchiver(run, etcd, { revision, tombstones }).run();
      // With those of the attempts before: their tombstones are still true, or a later record overrides them.
      counts.deletedKeys = tombstones.written;
      return { clusterId: etcd.clusterId, revision, firstBatch, restarts };
    } catch (error) {
      if (!(error instanceof EtcdError) || error.code !== "ETCD_COMPACTED") throw error;
      context.report({
        type: "warning",
        message: `etcd compacted revision ${revision} while it was read: starting again with etcd`,
      });
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
  readonly #run: BackupRun;
  readonly #etcd: EtcdCluster;
  readonly #revision: number;
  readonly #batch = new CborWriter(2 * BATCH_BYTES);
  readonly #digester = new RecordDigester();
  readonly #leases = new Set<bigint>();
  #newLeases = new Set<bigint>();
  readonly #tombstones: TombstonePages;

  constructor(
    run: BackupRun,
    etcd: EtcdCluster,
    reading: { revision: number; tombstones: TombstonePages },
  ) {
    this.#run = run;
    this.#etcd = etcd;
    this.#revision = reading.revision;
    this.#tombstones = reading.tombstones;
  }

  async run(): Promise<void> {
    const { base, context } = this.#run;
    const baseRecords = base && new BaseRecords(base, context.signal);
    try {
      await this.#records(baseRecords);
      if (baseRecords !== undefined) await this.#tombstones.addKeys(await baseRecords.rest());
      await this.#tombstones.flush();
    } finally {
      await baseRecords?.close();
    }
  }

  /** Merges the records of etcd with those of the base, both in key order. */
  async #records(baseRecords: BaseRecords | undefined): Promise<void> {
    const { report, signal } = this.#run.context;
    for await (const page of this.#etcd.readRecords({ revision: this.#revision, signal })) {
      throwIfAborted(signal);
      const { records, unchangedKeys } = this.#run.counts;
      const done = records + unchangedKeys;
      report({ type: "progress", phase: "etcd", done, unit: "records" });
      if (baseRecords === undefined) {
        await this.#archive(page);
        continue;
      }
      let changed: EtcdRecord[] = [];
      for (const record of page) {
        await this.#tombstones.addKeys(await baseRecords.before(record.key));
        const inBase = baseRecords.at(record.key);
        if (inBase === undefined || !this.#isUnchanged(record, inBase)) {
          changed.push(record);
          continue;
        }
        // The index is in key order: the changed records before this key come first.
        if (changed.length > 0) await this.#archive(changed);
        changed = [];
        this.#unchanged(record, inBase);
      }
      if (changed.length > 0) await this.#archive(changed);
    }
  }

  /**
   * Compares digests too: an etcd that was restored from a snapshot gives the same revisions to other values. A record
   * without a digest in the base counts as changed.
   */
  #isUnchanged(record: EtcdRecord, { modRevision, version, digest }: IndexedKey): boolean {
    return (
      digest !== undefined &&
      modRevision === record.modRevision &&
      version === record.version &&
      Buffer.compare(digest, this.#digester.digest(record)) === 0
    );
  }

  #unchanged({ key }: EtcdRecord, inBase: IndexedKey): void {
    this.#run.counts.unchangedKeys++;
    this.#run.writer.indexKey({ ...inBase, key, backup: inBase.backup + 1 });
  }

  async #archive(records: readonly EtcdRecord[]): Promise<void> {
    const { counts, writer } = this.#run;
    let from = 0;
    while (from < records.length) {
      this.#batch.reset();
      const digests: Uint8Array[] = [];
      let to = from;
      while (to < records.length && this.#batch.length < BATCH_BYTES) {
        const record = records[to++] as EtcdRecord;
        const start = this.#batch.length;
        encodeRecord(this.#batch, record);
        digests.push(digestEncodedRecord(this.#batch.view().subarray(start)));
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
        writer.indexKey({ key, modRevision, version, ...place, digest: digests[i - from] });
      }
      counts.records += to - from;
      from = to;
      await writer.ready();
    }
  }

  /** Leases are written before the first records that refer to them, in the order of a restore. */
  async #writeLeases(): Promise<void> {
    if (this.#newLeases.size === 0) return;
    const leases = await this.#etcd.readLeases(this.#newLeases, this.#run.context.signal);
    this.#newLeases = new Set();
    await this.#run.writer.place(0);
    this.#run.writer.leases(leases);
  }
}
