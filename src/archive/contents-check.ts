import type { BackupReader } from "./backup-reader.js";
import type { ReadOptions } from "./sealed-files.js";
import { type ArchiveItem, type ArchiveItems, EntryNumbers, readItems } from "./contents.js";
import type { EntryName } from "./tar/entry-path.js";
import { damaged } from "./errors.js";
import { archiveName, INDEX_NAME, METADATA_NAME } from "./format.js";
import { IndexComparison } from "./index/index-comparison.js";
import type { ArchivedLease, ArchivedRecord, Tombstone } from "./records.js";

type DataStart = Extract<ArchiveItem, { type: "data-start" }>;

/** A record, and where its entry begins. */
interface IndexedRecord {
  readonly record: ArchivedRecord;
  readonly offset: number;
}

/** Counts of what the archive holds; the others are of what it leaves out. */
const COUNTED = ["objects", "objectBytes", "records", "deletedObjects", "deletedKeys"] as const;

/**
 * Reads the ARCHIVE files of a backup, and checks every rule of docs/format.md on the way: of the entries, of the index
 * over them, of METADATA.bin over both. `inspect` and `restore` both read a backup here, so that a restore accepts what
 * `inspect` accepts. All items of a chunk are checked before the first is handed out.
 */
export class ContentsCheck {
  readonly #backup: BackupReader;
  readonly #options: ReadOptions;
  readonly #rules: EntryRules;
  readonly #comparison: IndexComparison | undefined;
  readonly #numbers = new EntryNumbers();
  /** An object whose entries may go on: a torn entry would make them void. */
  #open: DataStart | undefined;
  /** What is to be compared with the index, in the order of the archive. */
  #found: (DataStart | IndexedRecord)[] = [];

  /** `withIndex` false reads a backup whose INDEX.bin is damaged. */
  constructor(backup: BackupReader, options: ReadOptions & { readonly withIndex?: boolean } = {}) {
    const { withIndex = true, ...read } = options;
    this.#backup = backup;
    this.#options = read;
    this.#comparison = withIndex ? new IndexComparison(backup, read.signal) : undefined;
    this.#rules = new EntryRules(backup);
  }

  /** Objects and records so far. */
  get count(): number {
    const { objects, records } = this.#rules.found;
    return objects + records;
  }

  /** What the ARCHIVE file `number` holds, a batch for each chunk; the files are read in their order. Throws DAMAGED. */
  async *items(number: number): AsyncGenerator<ArchiveItems, void, void> {
    const name = archiveName(number);
    const options = { ...this.#options, numbers: this.#numbers };
    for await (const batch of readItems(this.#backup, number, options)) {
      for (const item of batch.items) this.#check(item, name);
      await this.#compare(number);
      yield batch;
    }
    this.#endObject();
    await this.#compare(number);
    if (number === this.#backup.archives.length - 1) await this.#end();
  }

  async close(): Promise<void> {
    await this.#comparison?.close();
  }

  #check(item: ArchiveItem, file: string): void {
    switch (item.type) {
      case "attributes":
        this.#endObject();
        this.#rules.object(item.object, file);
        return;
      case "data-start":
        this.#endObject();
        this.#rules.object(item.object, file);
        this.#open = item;
        return;
      case "torn":
        this.#open = undefined;
        return;
      case "records":
        this.#endObject();
        this.#rules.records(item.records, file);
        for (const record of item.records) this.#found.push({ record, offset: item.offset });
        return;
      case "leases":
        this.#endObject();
        this.#rules.leases(item.leases, file);
        return;
      case "tombstones":
        this.#endObject();
        this.#rules.tombstones(item.tombstones, file);
        return;
    }
  }

  /** The open object is complete. */
  #endObject(): void {
    if (this.#open !== undefined) this.#found.push(this.#open);
    this.#open = undefined;
  }

  async #compare(file: number): Promise<void> {
    const items = this.#found;
    this.#found = [];
    const { found } = this.#rules;
    for (const item of items) {
      if ("record" in item) {
        await this.#comparison?.record(item.record, { file, offset: item.offset });
        found.records++;
      } else {
        await this.#comparison?.object(item, file);
        found.objects++;
        found.objectBytes += item.size;
      }
    }
  }

  async #end(): Promise<void> {
    await this.#comparison?.end();
    const { metadata } = this.#backup;
    const { counts, etcd, plainBytes } = metadata;
    const wrong = (message: string) => damaged(message, { file: METADATA_NAME });
    const { found, unlistedPool } = this.#rules;
    for (const key of COUNTED) {
      if (found[key] !== counts[key]) {
        throw wrong(`it says ${counts[key]} ${key}, but the archive holds ${found[key]}`);
      }
    }
    if ((etcd?.firstBatch ?? 0) > this.#numbers.records) {
      throw wrong("its firstBatch is behind the last entry of records");
    }
    this.#rules.forgetLeases();
    if (this.#comparison === undefined) return;
    const pool = unlistedPool(this.#comparison.pools);
    if (pool !== undefined) {
      throw damaged("a tombstone of a pool that the index does not have", { file: pool });
    }
    const names = [...this.#backup.archives.map(({ name }) => name), INDEX_NAME];
    const bytes = names.reduce((sum, name) => sum + (this.#backup.contentBytes(name) ?? 0), 0);
    if (bytes !== plainBytes) {
      throw wrong(`it says ${plainBytes} plainBytes, but the files hold ${bytes}`);
    }
  }
}

/** Rules on an entry of the archive and the entries before it. */
class EntryRules {
  readonly found = { objects: 0, objectBytes: 0, records: 0, deletedObjects: 0, deletedKeys: 0 };
  readonly #backup: BackupReader;
  #lastKey: Uint8Array | undefined;
  /** Leases that records refer to, without an item before them. */
  readonly #leasesWithoutItem = new Set<bigint>();
  readonly #leases = new Set<bigint>();
  /** Pools in tombstones, and the first file that names each. */
  readonly #tombstonePools = new Map<string, string>();

  constructor(backup: BackupReader) {
    this.#backup = backup;
  }

  object(name: EntryName, file: string): void {
    const { ceph } = this.#backup.metadata;
    if (ceph?.pools.includes(name.pool)) return;
    throw damaged("an object of a pool that METADATA.bin does not name", { file });
  }

  records(records: readonly ArchivedRecord[], file: string): void {
    this.#requireEtcd(file);
    for (const { key, lease } of records) {
      if (key.length === 0) throw damaged("a record of a key without a byte", { file });
      if (this.#lastKey !== undefined && Buffer.compare(this.#lastKey, key) >= 0) {
        throw damaged("etcd records that are not in key order", { file });
      }
      this.#lastKey = key;
      if (lease !== 0n && !this.#leases.has(lease)) this.#leasesWithoutItem.add(lease);
    }
  }

  leases(leases: readonly ArchivedLease[], file: string): void {
    this.#requireEtcd(file);
    for (const { id } of leases) {
      if (id === 0n) throw damaged("a lease of the number 0, which means none", { file });
      // A restore in the order of the archive would take its records for expired.
      if (this.#leasesWithoutItem.has(id)) {
        throw damaged("a lease behind the first record that refers to it", { file });
      }
      this.#leases.add(id);
    }
  }

  tombstones(tombstones: readonly Tombstone[], file: string): void {
    const { base, ceph } = this.#backup.metadata;
    if (base === null) throw damaged("tombstones in a full backup", { file });
    for (const tombstone of tombstones) {
      if (tombstone.kind === "key") {
        this.#requireEtcd(file);
        if (tombstone.key.length === 0)
          throw damaged("a tombstone of a key without a byte", { file });
        this.found.deletedKeys++;
      } else {
        if (ceph === null)
          throw damaged("a tombstone of an object, and Ceph was left out", { file });
        const { pool } = tombstone;
        if (!this.#tombstonePools.has(pool)) this.#tombstonePools.set(pool, file);
        this.found.deletedObjects++;
      }
    }
  }

  /** The file that has a tombstone of a pool which is not one of these. */
  readonly unlistedPool = (pools: ReadonlySet<string>): string | undefined => {
    for (const [pool, file] of this.#tombstonePools) if (!pools.has(pool)) return file;
    return undefined;
  };

  /** Frees memory at the end of the archive: backups of a chain are read one after the other. */
  forgetLeases(): void {
    this.#leases.clear();
    this.#leasesWithoutItem.clear();
  }

  #requireEtcd(file: string): void {
    if (this.#backup.metadata.etcd === null) {
      throw damaged("an entry of etcd, which was left out", { file });
    }
  }
}
