import fc from "fast-check";
import type { StoredSnapshot } from "../../../src/snapshots/catalog.js";
import { compareSnapshotNames, snapshotName } from "../../../src/snapshots/name.js";

export interface ListedOptions {
  /** Of the name, seconds. */
  readonly time: number;
  readonly id?: string | undefined;
  /** Id of the base. */
  readonly base?: string | undefined;
  readonly digest?: string | undefined;
  readonly bytes?: number | undefined;
  readonly state?: StoredSnapshot["state"] | undefined;
  /** Damaged so that its manifest cannot be read. */
  readonly opaque?: boolean | undefined;
  readonly foreign?: boolean | undefined;
  readonly finished?: number | undefined;
}

/** A snapshot as a listing has it. Without etcd, so that each could be based on each earlier one. */
export function listedSnapshot(options: ListedOptions): StoredSnapshot {
  const { time, base = null, bytes = 1, state = "complete", opaque = false, foreign } = options;
  const { id = `id-${time}`, finished = time } = options;
  const kind = base === null ? "full" : "incremental";
  const name = snapshotName({ kind, firstRevision: 0, lastRevision: 0, time });
  const { digest = `digest of ${id}` } = options;
  const startedAt = new Date(time * 1000).toISOString();
  const finishedAt = new Date(finished * 1000).toISOString();
  const facts = { id, kind, base, startedAt, finishedAt, files: 3, bytes, digest } as const;
  return {
    name,
    state,
    ...(opaque || state === "unfinished" ? {} : { facts }),
    ...(foreign && { foreign: `${name.text}/notes` }),
  };
}

/** Names of a listing, in its order. */
export function namesOf(listing: readonly StoredSnapshot[]): string[] {
  return listing.map(({ name }) => name.text);
}

/**
 * Listings as a hostile store can show them: ids and digests repeat, bases form rings, come later than their
 * incrementals or do not exist. Small numbers, so that everything meets.
 */
export function listings(most: number): fc.Arbitrary<StoredSnapshot[]> {
  const snapshot = fc.record({
    time: fc.integer({ min: 1, max: most }),
    id: fc.option(fc.integer({ min: 1, max: most }), { nil: undefined, freq: 4 }),
    base: fc.option(fc.integer({ min: 1, max: most }), { nil: undefined, freq: 1 }),
    other: fc.nat(5),
    state: fc.constantFrom("complete", "complete", "complete", "complete", "unfinished", "damaged"),
    opaque: fc.boolean(),
    foreign: fc.nat(9),
  });
  return fc.array(snapshot, { maxLength: most }).map((rows) => {
    const byName = new Map<string, StoredSnapshot>();
    for (const { time, id = time, base, other, state, opaque, foreign } of rows) {
      const one = listedSnapshot({
        time,
        id: `id-${id}`,
        base: base === undefined ? undefined : `id-${base}`,
        digest: `digest of ${id}${other === 0 ? ", other" : ""}`,
        state: state as StoredSnapshot["state"],
        opaque: state === "damaged" && opaque,
        foreign: foreign === 0,
      });
      byName.set(one.name.text, one);
    }
    return [...byName.values()].sort((a, b) => compareSnapshotNames(a.name, b.name));
  });
}
