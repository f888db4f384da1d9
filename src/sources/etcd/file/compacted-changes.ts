import type { DatabaseEntry, EtcdDatabase } from "./database.js";
import { KeyTable } from "./key-table.js";
import { KeyValueFields } from "./key-value.js";

/**
 * The changes that one database lacks and another one has, up to the compact revision of the first: whether a compaction
 * explains them. Changes come in their order.
 */
export class CompactedChanges {
  readonly #database: EtcdDatabase;
  readonly compactRevision: number;
  readonly #signal: AbortSignal;
  /**
   * Keys whose last change so far is lacking. The number is twice the revision of the change, and 1 more where it is a
   * deletion.
   */
  readonly #lacking = new KeyTable();
  readonly #fields = new KeyValueFields();

  constructor(database: EtcdDatabase, compactRevision: number, signal: AbortSignal) {
    this.#database = database;
    this.compactRevision = compactRevision;
    this.#signal = signal;
  }

  /** The database lacks a change up to the compact revision. Throws EtcdFileError. */
  lacks(change: DatabaseEntry): void {
    const { main, deleted } = change;
    this.#lacking.set(this.#keyOf(change), 2 * main + (deleted ? 1 : 0));
  }

  /** The database has a change up to the compact revision. Throws EtcdFileError. */
  has(change: DatabaseEntry): void {
    if (this.#lacking.size > 0) this.#lacking.delete(this.#keyOf(change));
  }

  /**
   * Compaction removes what a later change replaced, and a last deletion with all before it. Returns the lowest revision
   * that is lacking for another reason; to be called once, after all changes. Throws EtcdFileError, InterruptedError.
   */
  async firstUnexplained(): Promise<number | undefined> {
    let lost: number | undefined;
    let deletions = 0;
    for (const number of this.#lacking.values()) {
      if (number % 2 === 1) deletions++;
      else lost = Math.min(lost ?? Number.POSITIVE_INFINITY, number / 2);
    }
    if (lost !== undefined || deletions === 0) return lost;
    for await (const entries of this.#database.entries(this.#signal)) {
      for (const entry of entries) {
        if (entry.main > this.compactRevision) return undefined;
        const deletion = this.#lacking.get(this.#keyOf(entry));
        if (deletion !== undefined) return (deletion - 1) / 2;
      }
    }
    return undefined;
  }

  #keyOf({ main, value }: DatabaseEntry): Uint8Array {
    if (this.#fields.read(value)) return this.#fields.key;
    throw this.#database.damaged(
      `a change of revision ${main}, or of what it is compared with, is damaged`,
    );
  }
}
