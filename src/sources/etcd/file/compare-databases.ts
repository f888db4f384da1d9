import type { EtcdRevision } from "../history.js";
import { changesUpTo } from "./changes-up-to.js";
import { CompactedChanges } from "./compacted-changes.js";
import type { DatabaseEntry, EtcdDatabase } from "./database.js";

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
 * revision must be the same in both; of those up to it, etcd keeps the last one of each key that lives. Each member compacts
 * its own file, some changes at a time: the newer database can still have what the older one has lost, and the other way
 * round.
 *
 * Memory: 32 to 64 bytes for each key of which one of the databases has lost a change by compaction that the other one has.
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
  const before = await older.facts(signal);
  const range = { after: before.revision, revision, signal };
  const expected = new Entries(changesUpTo(older, log, range));
  const actual = new Entries(newer.entries(signal));
  const lost = {
    older: new CompactedChanges(older, before.compactRevision, signal),
    newer: new CompactedChanges(newer, compactRevision, signal),
  };
  try {
    return await new Comparison(lost).run(expected, actual);
  } finally {
    await Promise.all([expected.close(), actual.close()]);
  }
}

class Comparison {
  /** What each of the databases has lost by compaction. */
  readonly #lost: { readonly older: CompactedChanges; readonly newer: CompactedChanges };
  #comparedEntries = 0;

  constructor(lost: { readonly older: CompactedChanges; readonly newer: CompactedChanges }) {
    this.#lost = lost;
  }

  async run(expected: Entries, actual: Entries): Promise<DatabaseComparison> {
    const { older, newer } = this.#lost;
    let [isOlderCompacted, isNewerCompacted] = [true, true];
    for (;;) {
      const next = expected.current ?? (await expected.fill());
      const other = actual.current ?? (await actual.fill());
      const main = Math.min(next?.main ?? Infinity, other?.main ?? Infinity);
      if (isOlderCompacted && main > older.compactRevision) {
        isOlderCompacted = false;
        const lost = await older.firstUnexplained();
        if (lost !== undefined) return this.#differs(lost, "unexpected");
      }
      if (isNewerCompacted && main > newer.compactRevision) {
        isNewerCompacted = false;
        const lost = await newer.firstUnexplained();
        if (lost !== undefined) return this.#differs(lost, "missing");
      }
      const order = next && other ? compare(next, other) : 0;
      const left = order > 0 ? undefined : next;
      const right = order < 0 ? undefined : other;
      if (left === undefined) {
        if (right === undefined) break;
        if (!isOlderCompacted) return this.#differs(right.main, "unexpected");
        older.lacks(right);
        if (isNewerCompacted) newer.has(right);
        actual.next();
        continue;
      }
      if (isOlderCompacted) older.has(left);
      expected.next();
      if (right === undefined) {
        if (!isNewerCompacted) return this.#differs(left.main, "missing");
        newer.lacks(left);
        continue;
      }
      if (left.deleted !== right.deleted || !left.value.equals(right.value)) {
        return this.#differs(left.main, "different");
      }
      if (isNewerCompacted) newer.has(right);
      this.#comparedEntries++;
      actual.next();
    }
    return { proven: true, firstDifference: undefined, comparedEntries: this.#comparedEntries };
  }

  #differs(revision: number, kind: DifferenceKind): DatabaseComparison {
    const firstDifference = { revision, kind };
    return { proven: false, firstDifference, comparedEntries: this.#comparedEntries };
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
