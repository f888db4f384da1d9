import { PassphraseKeys } from "../archive/backup-keys.js";
import type { BackupReader } from "../archive/backup-reader.js";
import { type ContentsVisitor, visitArchive } from "../archive/contents.js";
import { type EntryName, isSameObject } from "../archive/entry-path.js";
import { damaged } from "../archive/errors.js";
import { FileThread } from "../archive/file-thread.js";
import { INDEX_NAME } from "../archive/format.js";
import type { IndexedKey, IndexedObject, IndexItem } from "../archive/index-items.js";
import { mostIndexedObjects } from "../archive/metadata.js";
import { RecordDigester } from "../archive/record-digest.js";
import type { ArchivedRecord, Tombstone } from "../archive/records.js";
import { SealPool } from "../archive/seal-pool.js";
import { throwIfAborted, UsageError } from "../errors.js";
import { type BackupLocation, locateBackup, originalFolder } from "./backup-location.js";
import type { OperationContext } from "./context.js";
import { currentKeys } from "./current-keys.js";
import { inspectOriginal } from "./inspect-original.js";
import { openNamed } from "./open-named.js";
import { timedKeys } from "./timed-keys.js";

export interface InspectOptions {
  readonly location: BackupLocation;
  /** Read METADATA.bin and INDEX.bin only. */
  readonly quick: boolean;
}

/** Decrypts and checks a backup, and reports what it holds. `complete` is false when it is known to lack something. */
export async function inspectBackup(
  options: InspectOptions,
  context: OperationContext,
): Promise<{ complete: boolean }> {
  const { report, signal } = context;
  const { location } = options;
  const original = await originalFolder(location);
  if (original !== undefined && options.quick) {
    throw new UsageError("an archive of the original tool has no index for --quick to read", {
      hint: "leave out --quick",
    });
  }
  const passphrase = new PassphraseKeys(await context.passphrase());
  if (original !== undefined) return inspectOriginal(original, passphrase, context);
  const located = await locateBackup(location, context);
  const pool = new SealPool();
  const thread = new FileThread();
  try {
    const backup = await timedKeys(context, () => openNamed(located, passphrase, pool, context));
    const check = new ContentsCheck(backup, context);
    try {
      if (options.quick) await check.indexOnly();
      else await check.everything(thread);
    } finally {
      await check.close();
    }
    const { metadata, manifest } = backup;
    const { counts } = metadata;
    report({
      type: "inspected",
      objects: counts.objects,
      records: counts.records,
      pools: [...(metadata.ceph?.pools ?? [])],
      details: {
        id: metadata.id,
        kind: metadata.kind,
        ...(metadata.base === null ? {} : { base: metadata.base }),
        startedAt: metadata.startedAt,
        finishedAt: metadata.finishedAt,
        toolVersion: metadata.toolVersion,
        ...(metadata.etcd === null ? {} : { etcdRevision: metadata.etcd.revision }),
        files: manifest.files.length,
        sealedBytes: manifest.files.reduce((sum, file) => sum + file.size, 0),
        plainBytes: metadata.plainBytes,
        objectBytes: counts.objectBytes,
        deletedObjects: counts.deletedObjects,
        deletedKeys: counts.deletedKeys,
        checked: options.quick ? "quick" : "full",
      },
    });
    throwIfAborted(signal);
    return { complete: true };
  } finally {
    await Promise.all([pool.close(), thread.close(), located.close()]);
  }
}

/** Reads every byte of a backup and checks it, as {@link inspectBackup} does. Throws ArchiveError. */
export async function checkContents(
  backup: BackupReader,
  context: OperationContext,
): Promise<void> {
  const thread = new FileThread();
  const check = new ContentsCheck(backup, context);
  try {
    await check.everything(thread);
  } finally {
    await Promise.all([check.close(), thread.close()]);
  }
}

/** An object as an ARCHIVE file has it. */
interface FoundObject {
  readonly name: EntryName;
  readonly size: number;
  readonly mtime: bigint;
  readonly offset: number;
  readonly file: number;
}

/** What the archive itself shows; the other counts say what it leaves out. */
const COUNTED = ["objects", "objectBytes", "records", "deletedObjects", "deletedKeys"] as const;

/** Holds the contents of a backup against its index and its counts. */
class ContentsCheck implements ContentsVisitor {
  readonly #backup: BackupReader;
  readonly #context: OperationContext;
  readonly #index: AsyncGenerator<readonly IndexItem[]>;
  /** Objects and keys that the index says are in this backup, in the order of the archive. */
  #expected: (IndexedObject | IndexedKey)[] = [];
  #expectedAt = 0;
  #indexEnded = false;
  #file = 0;
  #object: FoundObject | undefined;
  readonly #waiting: FoundObject[] = [];
  readonly #records: { record: ArchivedRecord; offset: number; file: number }[] = [];
  readonly #found = { objects: 0, objectBytes: 0, records: 0, deletedObjects: 0, deletedKeys: 0 };
  readonly #indexed = { objects: 0, keys: 0 };
  readonly #pools = new Map<number, string>();
  readonly #digester = new RecordDigester();

  constructor(backup: BackupReader, context: OperationContext) {
    this.#backup = backup;
    this.#context = context;
    this.#index = currentKeys(backup, context.signal);
  }

  async close(): Promise<void> {
    await this.#index.return(undefined);
  }

  async indexOnly(): Promise<void> {
    while (!this.#indexEnded) {
      this.#expected = [];
      await this.#readIndex();
    }
    this.#compareIndexCounts();
  }

  async everything(thread: FileThread): Promise<void> {
    const { signal } = this.#context;
    // The index is walked beside the archives; its digest is checked on a pass of its own.
    for await (const _ of this.#backup.readIndex({ hashOn: thread, signal }))
      throwIfAborted(signal);
    for (let number = 0; number < this.#backup.archives.length; number++) {
      this.#file = number;
      await visitArchive(this.#backup, number, this, { hashOn: thread, signal });
      this.#flushObject();
      await this.settle();
    }
    while (!this.#indexEnded) await this.#readIndex();
    if (this.#expectedAt < this.#expected.length) {
      throw this.#wrong("the index names more than the archive holds");
    }
    this.#compareIndexCounts();
    const { counts } = this.#backup.metadata;
    for (const key of COUNTED) {
      if (this.#found[key] !== counts[key]) {
        throw damaged(`it says ${counts[key]} ${key}, but the archive holds ${this.#found[key]}`, {
          file: "METADATA.bin",
        });
      }
    }
  }

  beginObject(name: EntryName, size: number, mtime: bigint, offset: number): void {
    this.#flushObject();
    this.#object = { name, size, mtime, offset, file: this.#file };
  }

  attributes(): void {
    this.#flushObject();
  }

  omapPage(): void {}

  data(): void {}

  endObject(): void {}

  torn(): void {
    this.#object = undefined;
  }

  records(records: readonly ArchivedRecord[], offset: number): void {
    this.#flushObject();
    for (const record of records) this.#records.push({ record, offset, file: this.#file });
  }

  leases(): void {
    this.#flushObject();
  }

  tombstones(tombstones: readonly Tombstone[]): void {
    this.#flushObject();
    for (const { kind } of tombstones) {
      if (kind === "key") this.#found.deletedKeys++;
      else this.#found.deletedObjects++;
    }
  }

  async settle(): Promise<void> {
    throwIfAborted(this.#context.signal);
    for (const object of this.#waiting) {
      const item = await this.#nextExpected();
      const { name, size, mtime, offset, file } = object;
      const pool = item?.kind === "object" ? this.#pools.get(item.pool) : undefined;
      const same =
        item?.kind === "object" &&
        item.file === file &&
        item.offset === offset &&
        item.size === size &&
        item.mtime === mtime &&
        pool !== undefined &&
        isSameObject({ ...item, pool }, name);
      if (!same) throw this.#wrong("the index and the archive differ in an object");
      this.#found.objects++;
      this.#found.objectBytes += size;
    }
    this.#waiting.length = 0;
    for (const { record, offset, file } of this.#records) {
      const item = await this.#nextExpected();
      const same =
        item?.kind === "key" &&
        item.file === file &&
        item.offset === offset &&
        item.modRevision === record.modRevision &&
        item.version === record.version &&
        Buffer.compare(item.key, record.key) === 0 &&
        (item.digest === undefined ||
          Buffer.compare(item.digest, this.#digester.digest(record)) === 0);
      if (!same) throw this.#wrong("the index and the archive differ in an etcd record");
      this.#found.records++;
    }
    this.#records.length = 0;
    this.#context.report({
      type: "progress",
      phase: "inspect",
      done: this.#found.objects + this.#found.records,
      total: this.#backup.metadata.counts.objects + this.#backup.metadata.counts.records,
      unit: "items",
    });
  }

  #flushObject(): void {
    if (this.#object !== undefined) this.#waiting.push(this.#object);
    this.#object = undefined;
  }

  async #nextExpected(): Promise<IndexedObject | IndexedKey | undefined> {
    while (this.#expectedAt >= this.#expected.length && !this.#indexEnded) {
      this.#expected = [];
      this.#expectedAt = 0;
      await this.#readIndex();
    }
    return this.#expected[this.#expectedAt++];
  }

  async #readIndex(): Promise<void> {
    const next = await this.#index.next();
    if (next.done) {
      this.#indexEnded = true;
      return;
    }
    for (const item of next.value) {
      if (item.kind === "pool") this.#pools.set(item.pool, item.name);
      if (item.kind === "object") this.#indexed.objects++;
      if (item.kind === "key") this.#indexed.keys++;
      const own = (item.kind === "object" || item.kind === "key") && item.backup === 0;
      if (own) this.#expected.push(item);
    }
  }

  #compareIndexCounts(): void {
    const { counts } = this.#backup.metadata;
    const keys = counts.records + counts.unchangedKeys;
    const objects = counts.objects + counts.unchangedObjects;
    const { objects: indexedObjects, keys: indexedKeys } = this.#indexed;
    const objectsFit = indexedObjects >= objects && indexedObjects <= mostIndexedObjects(counts);
    if (!objectsFit || indexedKeys !== keys) {
      throw this.#wrong("it does not hold as many items as METADATA.bin says");
    }
  }

  #wrong(message: string): Error {
    return damaged(message, { file: INDEX_NAME });
  }
}
