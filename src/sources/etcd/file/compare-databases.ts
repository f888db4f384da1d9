import type { EtcdRevision } from "../history.js";
import { changesUpTo } from "./changes-up-to.js";
import type { DatabaseEntry, EtcdDatabase } from "./database.js";
import { KeyTable } from "./key-table.js";
import { KeyValueFields } from "./key-value.js";

/** What is wrong with a change. */
export type DifferenceKind =
  /** It is in the older database or the log, and not in the newer database. */
  | "missing"
  /** It is in the newer database alone. */
  | "unexpected"
  /** It is in both, with different contents. */
  | "different";

export interface DatabaseDifference {
  /** Revision of the change. */
  readonly revision: number;
  readonly kind: DifferenceKind;
}

export interface DatabaseComparison {
  /** The older database and the log make the newer database. */
  readonly proven: boolean;
  /** The first one that was found; undefined where there is none. */
  readonly firstDifference: DatabaseDifference | undefined;
  /** Changes that are the same in both. */
  readonly comparedEntries: number;
}

/**
 * Compares a newer database with what an older one and the log since then make. Changes after the newer one's compact
 * revision must be the same in both; of those up to it, etcd keeps the last one of each key that lives.
 *
 * Memory: 32 to 64 bytes for each key of which the newer database has lost a change by compaction.
 *
 * @param log the revisions after the older database in ascending order
 * @throws EtcdFileError where a file is damaged, or the log has a hole or ends before the newer database; InterruptedError
 */
export async function compareDatabases(
  older: EtcdDatabase,
  log: AsyncIterable<readonly EtcdRevision[]>,
  newer: EtcdDatabase,
  signal: AbortSignal,
): Promise<DatabaseComparison> {
  const { revision, compactRevision } = await newer.facts(signal);
  const after = (await older.facts(signal)).revision;
  const expected = new Entries(changesUpTo(older, log, { after, revision, signal }));
  const actual = new Entries(newer.entries(signal));
  try {
    return await new Comparison(newer, compactRevision, signal).run(expected, actual);
  } finally {
    await Promise.all([expected.close(), actual.close()]);
  }
}

class Comparison {
  readonly #newer: EtcdDatabase;
  readonly #compactRevision: number;
  readonly #signal: AbortSignal;
  /**
   * Keys whose last change so far is up to the compact revision, and missing in the newer database. The number is twice
   * the revision of the change, and 1 more where it is a deletion.
   */
  readonly #missing = new KeyTable();
  readonly #fields = new KeyValueFields();
  #comparedEntries = 0;

  constructor(newer: EtcdDatabase, compactRevision: number, signal: AbortSignal) {
    this.#newer = newer;
    this.#compactRevision = compactRevision;
    this.#signal = signal;
  }

  async run(expected: Entries, actual: Entries): Promise<DatabaseComparison> {
    let isCompacted = true;
    for (;;) {
      const left = expected.current ?? (await expected.fill());
      const right = actual.current ?? (await actual.fill());
      if (isCompacted && !(left !== undefined && left.main <= this.#compactRevision)) {
        isCompacted = false;
        const lost = await this.#lostByCompaction();
        if (lost !== undefined) return this.#differs(lost, "missing");
      }
      if (left === undefined || (right !== undefined && compare(left, right) > 0)) {
        if (right !== undefined) return this.#differs(right.main, "unexpected");
        return { proven: true, firstDifference: undefined, comparedEntries: this.#comparedEntries };
      }
      const isMissing = right === undefined || compare(left, right) < 0;
      if (isMissing && !isCompacted) return this.#differs(left.main, "missing");
      if (!isMissing) {
        if (left.deleted !== right.deleted || !left.value.equals(right.value)) {
          return this.#differs(left.main, "different");
        }
        this.#comparedEntries++;
        actual.next();
      }
      if (isCompacted) this.#noteCompacted(left, isMissing);
      expected.next();
    }
  }

  #differs(revision: number, kind: DifferenceKind): DatabaseComparison {
    const firstDifference = { revision, kind };
    return { proven: false, firstDifference, comparedEntries: this.#comparedEntries };
  }

  #noteCompacted({ main, deleted, value }: DatabaseEntry, isMissing: boolean): void {
    if (!isMissing && this.#missing.size === 0) return;
    if (!this.#fields.read(value)) {
      throw this.#newer.damaged(
        `a change of revision ${main}, or of what it is compared with, is damaged`,
      );
    }
    if (isMissing) this.#missing.set(this.#fields.key, 2 * main + (deleted ? 1 : 0));
    else this.#missing.delete(this.#fields.key);
  }

  /**
   * Compaction removes what a later change replaced, and a last deletion with all before it. Returns the lowest revision
   * that is missing for another reason.
   */
  async #lostByCompaction(): Promise<number | undefined> {
    let lost: number | undefined;
    let deletions = 0;
    for (const number of this.#missing.values()) {
      if (number % 2 === 1) deletions++;
      else lost = Math.min(lost ?? Number.POSITIVE_INFINITY, number / 2);
    }
    if (lost !== undefined || deletions === 0) return lost;
    for await (const entries of this.#newer.entries(this.#signal)) {
      for (const { main, value } of entries) {
        if (main > this.#compactRevision) return undefined;
        if (!this.#fields.read(value)) {
          throw this.#newer.damaged(`a change of revision ${main} is damaged`);
        }
        const deletion = this.#missing.get(this.#fields.key);
        if (deletion !== undefined) return (deletion - 1) / 2;
      }
    }
    return undefined;
  }
}

/** One change after another. */
class Entries {
  readonly #batches: AsyncGenerator<readonly DatabaseEntry[], void, void>;
  #batch: readonly DatabaseEntry[] = [];
  #at = 0;

  constructor(batches: AsyncGenerator<readonly DatabaseEntry[], void, void>) {
    this.#batches = batches;
  }

  /** Undefined at the end, and where the next batch has to be read. */
  get current(): DatabaseEntry | undefined {
    return this.#batch[this.#at];
  }

  next(): void {
    this.#at++;
  }

  /** Reads the next batch. */
  async fill(): Promise<DatabaseEntry | undefined> {
    while (this.#at >= this.#batch.length) {
      const next = await this.#batches.next();
      if (next.done) return undefined;
      this.#batch = next.value;
      this.#at = 0;
    }
    return this.current;
  }

  async close(): Promise<void> {
    await this.#batches.return();
  }
}

function compare(a: DatabaseEntry, b: DatabaseEntry): number {
  return a.main - b.main || a.sub - b.sub;
}
