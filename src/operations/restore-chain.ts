import type { BackupReader } from "../archive/backup-reader.js";
import type { EntryName } from "../archive/entry-path.js";
import { damaged } from "../archive/errors.js";
import { ObjectTable } from "../archive/object-table.js";

/**
 * Where the bytes of each object of the newest backup lie, so that a restore of the chain writes each
 * object once.
 */
export class FinalState {
  readonly #table: ObjectTable;
  readonly #pools: ReadonlyMap<string, number>;

  private constructor(table: ObjectTable, pools: ReadonlyMap<string, number>) {
    this.#table = table;
    this.#pools = pools;
  }

  /** `chain` is newest first, and must be the chain that the newest one's index refers to. */
  static async load(chain: readonly BackupReader[], signal: AbortSignal): Promise<FinalState> {
    const [newest] = chain;
    if (newest === undefined) throw new RangeError("a chain without backups");
    const { counts } = newest.metadata;
    const table = new ObjectTable(counts.objects + counts.unchangedObjects + counts.missingObjects);
    const pools = new Map<string, number>();
    for await (const items of newest.readIndex({ signal })) {
      for (const item of items) {
        if (item.kind === "pool") pools.set(item.name, item.pool);
        if (item.kind === "backup") {
          const id = Buffer.from(item.id).toString("hex");
          if (chain[item.backup]?.metadata.id !== id) {
            throw damaged("the index refers to another chain of backups", { file: "INDEX.bin" });
          }
        }
        if (item.kind === "object") {
          table.set(item.pool, item.namespace, item.locator, item.name, item);
        }
      }
    }
    return new FinalState(table, pools);
  }

  /** Whether the newest backup has the object at all. */
  has(object: EntryName): boolean {
    return this.#slot(object) !== undefined;
  }

  /** Whether the object's last state is the one at this place. */
  isAt(object: EntryName, backup: number, file: number, offset: number): boolean {
    const slot = this.#slot(object);
    if (slot === undefined) return false;
    const entry = this.#table.entry(slot);
    return entry.backup === backup && entry.file === file && entry.offset === offset;
  }

  #slot({ pool, namespace, locator, name }: EntryName): number | undefined {
    const ordinal = this.#pools.get(pool);
    return ordinal === undefined ? undefined : this.#table.find(ordinal, namespace, locator, name);
  }
}
