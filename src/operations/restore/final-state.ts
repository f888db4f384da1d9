import type { BackupReader } from "../../archive/backup-reader.js";
import type { EntryName } from "../../archive/tar/entry-path.js";
import { damaged } from "../../archive/errors.js";
import { INDEX_NAME } from "../../archive/format.js";
import { holdsRecords, mostIndexedObjects } from "../../archive/metadata.js";
import { ObjectTable } from "../../archive/index/object-table.js";

/**
 * The place of the last state of each object of a chain, so that a restore writes each object once. For a pool that the
 * newest backup does not cover, the next older backup that covers it counts.
 */
export class FinalState {
  readonly #table: ObjectTable;
  readonly #pools = new Map<string, number>();

  private constructor(size: number) {
    this.#table = new ObjectTable(size);
  }

  /**
   * `chain` is newest first. Reads the indexes that it needs, mostly only the newest; with `all`, checks the others too.
   * Throws DAMAGED, also when an index refers to another chain.
   */
  static async load(
    chain: readonly BackupReader[],
    { all, signal }: { readonly all: boolean; readonly signal: AbortSignal },
  ): Promise<FinalState> {
    const pools = new Set(chain.flatMap(({ metadata }) => metadata.ceph?.pools ?? []));
    const final = new FinalState(
      Math.max(...chain.map(({ metadata }) => mostIndexedObjects(metadata.counts))) *
        decidingBackups(chain),
    );
    for (const [ordinal, member] of chain.entries()) {
      const complete = [...pools].every((pool) => final.#pools.has(pool));
      if (!complete && member.metadata.ceph !== null) {
        await final.#add(chain, ordinal, member, signal);
      } else if (all) await member.checkIndex({ signal });
    }
    return final;
  }

  async #add(
    chain: readonly BackupReader[],
    ordinal: number,
    member: BackupReader,
    signal: AbortSignal,
  ): Promise<void> {
    const known = new Map<number, number>();
    for await (const items of member.readIndex({ signal })) {
      for (const item of items) {
        if (item.kind === "backup") {
          const id = Buffer.from(item.id).toString("hex");
          if (chain[ordinal + item.backup]?.metadata.id !== id) {
            throw damaged("the index refers to another chain of backups", { file: INDEX_NAME });
          }
        } else if (item.kind === "pool" && !this.#pools.has(item.name)) {
          known.set(item.pool, this.#pools.size);
          this.#pools.set(item.name, this.#pools.size);
        } else if (item.kind === "object") {
          const pool = known.get(item.pool);
          if (pool === undefined) continue;
          this.#table.set(pool, item, { ...item, backup: ordinal + item.backup });
        }
      }
    }
  }

  /** Whether the object exists at the end of the chain. */
  has(object: EntryName): boolean {
    return this.#slot(object) !== undefined;
  }

  /** Whether the last state of the object is at this place; `backup` counts from the newest. */
  isAt(object: EntryName, backup: number, file: number, offset: number): boolean {
    const slot = this.#slot(object);
    if (slot === undefined) return false;
    const entry = this.#table.entry(slot);
    return entry.backup === backup && entry.file === file && entry.offset === offset;
  }

  #slot(object: EntryName): number | undefined {
    const ordinal = this.#pools.get(object.pool);
    return ordinal === undefined ? undefined : this.#table.find(ordinal, object);
  }
}

/** The number of backups of a chain that count for some pool: mostly the newest alone. */
function decidingBackups(chain: readonly BackupReader[]): number {
  const seen = new Set<string>();
  let count = 0;
  for (const { metadata } of chain) {
    const pools = metadata.ceph?.pools ?? [];
    if (pools.some((pool) => !seen.has(pool))) count++;
    for (const pool of pools) seen.add(pool);
  }
  return Math.max(1, count);
}

/**
 * The number of backups of a chain, newest first, that make up the last state of etcd: an incremental over a backup
 * without records, or of another cluster, holds all records.
 */
export function etcdDepth(chain: readonly BackupReader[]): number {
  const newest = chain.findIndex(({ metadata }) => holdsRecords(metadata.etcd));
  if (newest < 0) return 0;
  let depth = newest + 1;
  while (holdsRecords(chain[depth]?.metadata.etcd ?? null)) depth++;
  return depth;
}
