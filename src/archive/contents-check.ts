import type { BackupReader } from "./backup-reader.js";
import type { ReadOptions } from "./sealed-files.js";
import { type ArchiveItem, type ArchiveItems, EntryNumbers, readItems } from "./contents.js";
import type { EntryName } from "./tar/entry-path.js";
import { damaged } from "./errors.js";
import { archiveName, INDEX_NAME, METADATA_NAME } from "./format.js";
import { IndexComparison } from "./index/index-comparison.js";
import { holdsRecords } from "./metadata.js";
import type { ArchivedLease, ArchivedRecord, Tombstone } from "./records.js";
import { SnapshotPieces } from "./snapshot/snapshot-pieces.js";

type DataStart = Extract<ArchiveItem, { type: "data-start" }>;
type SnapshotPiece = Extract<ArchiveItem, { type: "snapshot-piece" }>;

/** A record, and the offset of its entry. */
interface FoundRecord {
  readonly record: ArchivedRecord;
  readonly offset: number;
}

/** Counts of what the archive holds; the other counts are of what it leaves out. */
const COUNTED = ["objects", "objectBytes", "records", "deletedObjects", "deletedKeys"] as const;

/**
 * Reads the ARCHIVE files of a backup, and checks every rule of docs/format.md on the entries, the index and
 * METADATA.bin. `inspect` and `restore` both read a backup here, so a restore accepts what `inspect` accepts. All items
 * of a chunk are checked before the first is yielded.
 */
export class ContentsCheck {
  readonly #backup: BackupReader;
  readonly #options: ReadOptions;
  readonly #rules: EntryRules;
  readonly #comparison: IndexComparison | undefined;
  readonly #numbers = new EntryNumbers();
  readonly #pieces: SnapshotPieces | undefined;
  /** The last object, which a torn entry can still make void. */
  #open: DataStart | undefined;
  /** Objects and records to compare with the index, in the order of the archive. */
  #found: (DataStart | FoundRecord)[] = [];

  /** `withIndex: false` reads a backup whose INDEX.bin is damaged. */
  constructor(backup: BackupReader, options: ReadOptions & { readonly withIndex?: boolean } = {}) {
    const { withIndex = true, ...read } = options;
    this.#backup = backup;
    this.#options = read;
    this.#comparison = withIndex ? new IndexComparison(backup, read.signal) : undefined;
    this.#rules = new EntryRules(backup);
    const { snapshot } = backup.metadata.etcd ?? {};
    this.#pieces = snapshot ? new SnapshotPieces(snapshot) : undefined;
  }

  /** Objects and records so far. */
  get count(): number {
    const { objects, records } = this.#rules.found;
    return objects + records;
  }

  /** Bytes of the raw snapshot of etcd so far. */
  get snapshotBytes(): number {
    return this.#pieces?.bytes ?? 0;
  }

  /** The items of the ARCHIVE file `number`, a batch for each chunk. The files are read in order. Throws DAMAGED. */
  async *items(number: number): AsyncGenerator<ArchiveItems, void, void> {
    const name = archiveName(number);
    const options = { ...this.#options, numbers: this.#numbers };
    for await (const batch of readItems(this.#backup, number, options)) {
      for (const item of batch.items) {
        if (item.type === "snapshot-piece") this.#piece(item, number);
        this.#check(item, name);
      }
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

  #piece({ number, bytes, offset }: SnapshotPiece, file: number): void {
    if (this.#pieces === undefined) {
      throw damaged("a piece of a raw snapshot that METADATA.bin does not name", {
        file: archiveName(file),
      });
    }
    this.#pieces.add(bytes, { number, file, offset });
  }

  #check(item: ArchiveItem, file: string): void {
    const { type } = item;
    if (type === "omap" || type === "data" || type === "data-end") return;
    if (type === "torn") this.#open = undefined;
    else this.#endObject();
    if (type === "attributes" || type === "data-start") this.#rules.object(item.object, file);
    if (type === "data-start") this.#open = item;
    if (type === "leases") this.#rules.leases(item.leases, file);
    if (type === "tombstones") this.#rules.tombstones(item.tombstones, file);
    if (type !== "records") return;
    this.#rules.records(item.records, file);
    for (const record of item.records) this.#found.push({ record, offset: item.offset });
  }

  /** The open object is complete: no torn entry follows. */
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
    this.#pieces?.end();
    const { metadata } = this.#backup;
    const { counts, etcd, plainBytes } = metadata;
    const wrong = (message: string) => damaged(message, { file: METADATA_NAME });
    const { found } = this.#rules;
    for (const key of COUNTED) {
      if (found[key] !== counts[key]) {
        throw wrong(`it says ${counts[key]} ${key}, but the archive holds ${found[key]}`);
      }
    }
    if ((etcd?.firstBatch ?? 0) > this.#numbers.records) {
      throw wrong("its firstBatch is after the last entry of records");
    }
    this.#rules.forgetLeases();
    if (this.#comparison === undefined) return;
    this.#rules.checkTombstonePools(this.#comparison.pools);
    const names = [...this.#backup.archives.map(({ name }) => name), INDEX_NAME];
    const bytes = names.reduce((sum, name) => sum + (this.#backup.contentBytes(name) ?? 0), 0);
    if (bytes !== plainBytes) {
      throw wrong(`it says ${plainBytes} plainBytes, but the files hold ${bytes}`);
    }
  }
}

/** Rules on the entries of the archive, in their order. */
class EntryRules {
  readonly found = { objects: 0, objectBytes: 0, records: 0, deletedObjects: 0, deletedKeys: 0 };
  readonly #backup: BackupReader;
  #lastKey: Uint8Array | undefined;
  /** Leases that records refer to and that have no item yet. */
  readonly #leasesWithoutItem = new Set<bigint>();
  readonly #leases = new Set<bigint>();
  /** Pools in tombstones, and the first file with each. */
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
    this.#checkEtcd(file);
    for (const { key, lease } of records) {
      if (key.length === 0) throw damaged("a record with an empty key", { file });
      if (this.#lastKey !== undefined && Buffer.compare(this.#lastKey, key) >= 0) {
        throw damaged("etcd records that are not in key order", { file });
      }
      this.#lastKey = key;
      if (lease !== 0n && !this.#leases.has(lease)) this.#leasesWithoutItem.add(lease);
    }
  }

  leases(leases: readonly ArchivedLease[], file: string): void {
    this.#checkEtcd(file);
    for (const { id } of leases) {
      if (id === 0n) throw damaged("a lease with the id 0, which means no lease", { file });
      // A restore, in the order of the archive, would treat its records as expired.
      if (this.#leasesWithoutItem.has(id)) {
        throw damaged("a lease after the first record that refers to it", { file });
      }
      this.#leases.add(id);
    }
  }

  tombstones(tombstones: readonly Tombstone[], file: string): void {
    const { base, ceph } = this.#backup.metadata;
    if (base === null) throw damaged("tombstones in a full backup", { file });
    for (const tombstone of tombstones) {
      if (tombstone.kind === "key") {
        this.#checkEtcd(file);
        if (tombstone.key.length === 0) throw damaged("a tombstone of an empty key", { file });
        this.found.deletedKeys++;
      } else {
        if (ceph === null) throw damaged("a tombstone of an object without Ceph", { file });
        const { pool } = tombstone;
        if (!this.#tombstonePools.has(pool)) this.#tombstonePools.set(pool, file);
        this.found.deletedObjects++;
      }
    }
  }

  /** Throws DAMAGED for a tombstone of a pool that is not one of `pools`. */
  checkTombstonePools(pools: ReadonlySet<string>): void {
    for (const [pool, file] of this.#tombstonePools) {
      if (!pools.has(pool))
        throw damaged("a tombstone of a pool that is not in the index", { file });
    }
  }

  /** Frees memory at the end of the archive: backups of a chain are read one after the other. */
  forgetLeases(): void {
    this.#leases.clear();
    this.#leasesWithoutItem.clear();
  }

  #checkEtcd(file: string): void {
    const { etcd } = this.#backup.metadata;
    if (etcd === null) throw damaged("an etcd entry in a backup without etcd", { file });
    if (!holdsRecords(etcd)) {
      throw damaged("an etcd record, lease or deleted key beside a raw snapshot alone", { file });
    }
  }
}
