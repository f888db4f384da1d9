import type { BackupReader } from "../backup-reader.js";
import { lastRecords } from "./last-records.js";
import { type EntryName, isSameObject } from "../tar/entry-path.js";
import { damaged } from "../errors.js";
import { INDEX_NAME } from "../format.js";
import type { IndexedKey, IndexedObject, IndexItem } from "./index-items.js";
import { RecordDigester } from "../record-digest.js";
import type { ArchivedRecord } from "../records.js";

/** Compares the contents of a backup with its index, both read in the order of the archive. */
export class IndexComparison {
  readonly #index: AsyncGenerator<readonly IndexItem[]>;
  readonly #poolNames: string[] = [];
  readonly #digester = new RecordDigester();
  /** Objects and keys of this backup, not of its bases, in the index. */
  #expected: (IndexedObject | IndexedKey)[] = [];
  #at = 0;
  #ended = false;

  constructor(backup: BackupReader, signal: AbortSignal | undefined) {
    this.#index = lastRecords(backup, signal);
  }

  /** Names of the pools in the part of the index that was read. */
  get pools(): ReadonlySet<string> {
    return new Set(this.#poolNames);
  }

  /** Takes the next object of the archive. Throws DAMAGED when the next item of the index differs. */
  async object(
    found: {
      readonly object: EntryName;
      readonly size: number;
      readonly mtime: bigint;
      readonly offset: number;
    },
    file: number,
  ): Promise<void> {
    const item = await this.#next();
    const pool = item?.kind === "object" ? this.#poolNames[item.pool] : undefined;
    const same =
      item?.kind === "object" &&
      item.file === file &&
      item.offset === found.offset &&
      item.size === found.size &&
      item.mtime === found.mtime &&
      pool !== undefined &&
      isSameObject({ ...item, pool }, found.object);
    if (!same) throw wrong("the index and the archive differ in an object");
  }

  /** Takes the next record of the archive. Throws DAMAGED when the next item of the index differs. */
  async record(
    record: ArchivedRecord,
    { file, offset }: { readonly file: number; readonly offset: number },
  ): Promise<void> {
    const item = await this.#next();
    const same =
      item?.kind === "key" &&
      item.file === file &&
      item.offset === offset &&
      item.modRevision === record.modRevision &&
      item.version === record.version &&
      Buffer.compare(item.key, record.key) === 0 &&
      (item.digest === undefined ||
        Buffer.compare(item.digest, this.#digester.digest(record)) === 0);
    if (!same) throw wrong("the index and the archive differ in an etcd record");
  }

  /** Throws DAMAGED when the index has more items than the archive. */
  async end(): Promise<void> {
    if ((await this.#next()) !== undefined) {
      throw wrong("the index names more than the archive holds");
    }
  }

  async close(): Promise<void> {
    await this.#index.return(undefined);
  }

  async #next(): Promise<IndexedObject | IndexedKey | undefined> {
    while (this.#at >= this.#expected.length && !this.#ended) {
      this.#expected = [];
      this.#at = 0;
      const next = await this.#index.next();
      if (next.done) this.#ended = true;
      else for (const item of next.value) this.#take(item);
    }
    return this.#expected[this.#at++];
  }

  #take(item: IndexItem): void {
    if (item.kind === "pool") this.#poolNames[item.pool] = item.name;
    const own = (item.kind === "object" || item.kind === "key") && item.backup === 0;
    if (own) this.#expected.push(item);
  }
}

function wrong(message: string): Error {
  return damaged(message, { file: INDEX_NAME });
}
