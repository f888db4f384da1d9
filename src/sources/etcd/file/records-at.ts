import type { EtcdRevision } from "../history.js";
import type { EtcdRecord } from "../types.js";
import { changesUpTo } from "./changes-up-to.js";
import type { DatabaseEntry, EtcdDatabase } from "./database.js";
import { EtcdFileError } from "./errors.js";
import { KeyTable } from "./key-table.js";
import { KeyValueFields } from "./key-value.js";

/** The keys that live at a revision. */
export interface RecordsAt {
  /** Number of keys. */
  readonly records: number;
  /** Granted TTLs in seconds of all leases of the database and the log, by their ids. */
  readonly leases: ReadonlyMap<bigint, number>;
  /**
   * The records in the order of their revisions, each key once. Keys and values are views on blocks of up to 1 MiB: copy
   * what is kept.
   *
   * @throws EtcdFileError, InterruptedError
   */
  batches(): AsyncGenerator<EtcdRecord[], void, void>;
}

/**
 * Finds the keys that live at a revision. Memory: 32 to 64 bytes for each key that ever lived in database and log, and a bit
 * for each change, until this resolves; then the bits alone.
 *
 * @param log the revisions after the database in ascending order. It is read twice: here, and by `batches`
 * @throws EtcdFileError, InterruptedError
 */
export async function recordsAt(
  base: EtcdDatabase,
  log: () => AsyncIterable<readonly EtcdRevision[]>,
  revision: number,
  signal: AbortSignal,
): Promise<RecordsAt> {
  const facts = await base.facts(signal);
  if (revision < facts.compactRevision) {
    const problem = `no longer holds revision ${revision}: it is compacted up to ${facts.compactRevision}`;
    throw new EtcdFileError("ETCD_FILE_REVISION", base.where, problem);
  }
  const leases = new Map<bigint, number>();
  for await (const batch of base.leases(signal)) {
    for (const { id, grantedTtl } of batch) leases.set(id, grantedTtl);
  }
  const range = { after: facts.revision, revision, signal };
  const changes = () =>
    changesUpTo(base, log(), range, ({ id, grantedTtl }) => leases.set(id, grantedTtl));
  const { last, count } = await lastChanges(base, changes());
  return {
    records: count,
    leases,
    batches: async function* () {
      const fields = new KeyValueFields();
      let at = 0;
      for await (const entries of changes()) {
        const records: EtcdRecord[] = [];
        for (const { value, deleted } of entries) {
          if (!last.has(at++)) continue;
          if (deleted || !fields.read(value)) throw base.damaged("it or its log has changed");
          records.push(fields.record);
        }
        if (records.length > 0) yield records;
      }
    },
  };
}

/** The numbers of those changes, counted from 0, that put a key for the last time. */
async function lastChanges(
  base: EtcdDatabase,
  changes: AsyncIterable<readonly DatabaseEntry[]>,
): Promise<{ last: Bits; count: number }> {
  const last = new Bits();
  const keys = new KeyTable();
  const fields = new KeyValueFields();
  let at = 0;
  for await (const entries of changes) {
    for (const { main, deleted, value } of entries) {
      if (!fields.read(value)) throw base.damaged(`a change of revision ${main} is damaged`);
      const before = deleted ? keys.delete(fields.key) : keys.set(fields.key, at);
      if (before !== undefined) last.clear(before);
      if (!deleted) last.add(at);
      at++;
    }
  }
  return { last, count: keys.size };
}

/** A set of numbers from 0. */
class Bits {
  #bytes = new Uint8Array(1 << 12);

  add(number: number): void {
    const byte = Math.floor(number / 8);
    if (byte >= this.#bytes.length) {
      const bytes = new Uint8Array(Math.max(byte + 1, this.#bytes.length * 2));
      bytes.set(this.#bytes);
      this.#bytes = bytes;
    }
    this.#bytes[byte] = (this.#bytes[byte] ?? 0) | (1 << (number % 8));
  }

  clear(number: number): void {
    const byte = Math.floor(number / 8);
    this.#bytes[byte] = (this.#bytes[byte] ?? 0) & ~(1 << (number % 8));
  }

  has(number: number): boolean {
    return ((this.#bytes[Math.floor(number / 8)] ?? 0) & (1 << (number % 8))) !== 0;
  }
}
