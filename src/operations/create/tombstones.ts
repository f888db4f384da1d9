import type { BackupWriter } from "../../archive/backup-writer.js";
import type { Tombstone } from "../../archive/records.js";

const PAGE_ENTRIES = 4096;
/** A key of etcd can be as long as a request. */
const PAGE_BYTES = 4 << 20;

/** Collects tombstones into entries of the archive. */
export class TombstonePages {
  readonly #writer: BackupWriter;
  #page: Tombstone[] = [];
  #bytes = 0;
  /** Tombstones in the archive. */
  written = 0;

  constructor(writer: BackupWriter) {
    this.#writer = writer;
  }

  async add(tombstone: Tombstone): Promise<void> {
    this.#page.push(tombstone);
    this.#bytes +=
      tombstone.kind === "key"
        ? tombstone.key.length
        : tombstone.namespace.length + tombstone.locator.length + tombstone.name.length;
    if (this.#page.length >= PAGE_ENTRIES || this.#bytes >= PAGE_BYTES) await this.flush();
  }

  async addKeys(keys: readonly Uint8Array[]): Promise<void> {
    for (const key of keys) await this.add({ kind: "key", key });
  }

  /** Drops tombstones that are not written yet. */
  restart(): void {
    this.#page = [];
    this.#bytes = 0;
  }

  async flush(): Promise<void> {
    if (this.#page.length === 0) return;
    await this.#writer.place(0);
    this.#writer.tombstones(this.#page);
    this.written += this.#page.length;
    this.restart();
    await this.#writer.ready();
  }
}
