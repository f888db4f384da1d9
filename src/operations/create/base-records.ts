import type { BackupReader } from "../../archive/backup-reader.js";
import type { IndexedKey, IndexItem } from "../../archive/index/index-items.js";
import { lastRecords } from "../../archive/index/last-records.js";

/** The etcd records in the index of the base, read in key order beside those of the cluster. */
export class BaseRecords {
  readonly #keys: AsyncGenerator<IndexedKey>;
  #next: IndexedKey | undefined;
  /** The last record that was passed. */
  #passed: IndexedKey | undefined;
  #started = false;

  constructor(base: BackupReader, signal: AbortSignal) {
    this.#keys = keysOf(lastRecords(base, signal));
  }

  /** Passes the records of the base up to `key`; returns the keys before it, which the cluster no longer has. */
  async before(key: Uint8Array): Promise<Uint8Array[]> {
    if (!this.#started) await this.#step();
    let gone: Uint8Array[] | undefined;
    while (this.#next !== undefined) {
      const order = Buffer.compare(this.#next.key, key);
      if (order > 0) break;
      this.#passed = this.#next;
      await this.#step();
      if (order === 0) break;
      gone ??= [];
      gone.push(this.#passed.key);
    }
    return gone ?? NONE;
  }

  /** The record of `key` in the base, after `before(key)`. */
  at(key: Uint8Array): IndexedKey | undefined {
    const passed = this.#passed;
    return passed !== undefined && Buffer.compare(passed.key, key) === 0 ? passed : undefined;
  }

  /** Passes all other records; returns their keys. */
  async rest(): Promise<Uint8Array[]> {
    if (!this.#started) await this.#step();
    const gone: Uint8Array[] = [];
    for (; this.#next !== undefined; await this.#step()) gone.push(this.#next.key);
    return gone;
  }

  async close(): Promise<void> {
    await this.#keys.return(undefined);
  }

  async #step(): Promise<void> {
    this.#started = true;
    const next = await this.#keys.next();
    this.#next = next.done ? undefined : next.value;
  }
}

const NONE: Uint8Array[] = [];

async function* keysOf(batches: AsyncIterable<readonly IndexItem[]>): AsyncGenerator<IndexedKey> {
  for await (const items of batches) {
    for (const item of items) {
      if (item.kind === "key") yield item;
    }
  }
}
