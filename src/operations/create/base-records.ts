import type { BackupReader } from "../../archive/backup-reader.js";
import type { IndexedKey, IndexItem } from "../../archive/index/index-items.js";
import { lastRecords } from "../../archive/index/last-records.js";

/** The etcd records in the index of the base, walked in key order beside those of the cluster. */
export class BaseRecords {
  readonly #keys: AsyncGenerator<IndexedKey>;
  #next: IndexedKey | undefined;
  #started = false;

  constructor(base: BackupReader, signal: AbortSignal) {
    this.#keys = keysOf(lastRecords(base, signal));
  }

  /** Keys of the base before `key` that were not passed yet: the cluster no longer has them. */
  async before(key: Uint8Array): Promise<Uint8Array[]> {
    if (!this.#started) await this.#step();
    let gone: Uint8Array[] | undefined;
    while (this.#next !== undefined) {
      const order = Buffer.compare(this.#next.key, key);
      if (order > 0) break;
      if (order === 0) {
        this.#found = this.#next;
        await this.#step();
        break;
      }
      gone ??= [];
      gone.push(this.#next.key);
      await this.#step();
    }
    return gone ?? NONE;
  }

  #found: IndexedKey | undefined;

  /** The record of `key` in the base, after `before(key)`. */
  at(key: Uint8Array): IndexedKey | undefined {
    return this.#found !== undefined && Buffer.compare(this.#found.key, key) === 0
      ? this.#found
      : undefined;
  }

  /** All keys that were not passed. */
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
