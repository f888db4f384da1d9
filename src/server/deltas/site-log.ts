import { type RevisionRange, RevisionRanges } from "./revision-ranges.js";

/** What a listing of a store shows of the log of etcd. */
export interface ListedLog {
  /** Revisions that are in deltas. */
  readonly ranges: Iterable<RevisionRange>;
  /** Revisions of the raw snapshots. */
  readonly bases: Iterable<number>;
}

/** Files of a kind that were put, or listed. */
class Held {
  readonly ranges = new RevisionRanges();
  readonly bases = new Set<number>();

  add({ ranges, bases }: ListedLog): void {
    for (const range of ranges) this.ranges.add(range);
    for (const base of bases) this.bases.add(base);
  }
}

/**
 * What one store holds of the current history of etcd: only what a put has returned for, or a listing has shown. What
 * a listing does not show any more does not count, but for what was put since the listing before began: a listing may
 * be late.
 */
export class SiteLog {
  #held = new Held();
  /** Put since the last listing began, and since the one before. */
  #recent = new Held();
  #earlier = new Held();

  addDelta(range: RevisionRange): void {
    for (const held of [this.#held, this.#recent]) held.ranges.add(range);
  }

  addBase(revision: number): void {
    for (const held of [this.#held, this.#recent]) held.bases.add(revision);
  }

  listingBegun(): void {
    this.#earlier.add(this.#recent);
    this.#recent = new Held();
  }

  /** The listing that was begun last has succeeded. */
  listed(log: ListedLog): void {
    this.#held = new Held();
    for (const part of [log, this.#earlier, this.#recent]) this.#held.add(part);
    this.#earlier = new Held();
  }

  /** What the last listing and the copies since then show, which is more than that listing alone. */
  shown(log: ListedLog): void {
    this.#held.add(log);
  }

  has(range: RevisionRange): boolean {
    return this.#held.ranges.has(range);
  }

  /** Whether deltas follow an earlier base without a gap up to this revision. */
  reaches(revision: number): boolean {
    const { bases, ranges } = this.#held;
    return [...bases].some((base) => base < revision && ranges.endAfter(base) >= revision);
  }

  holdsAnyUpTo(revision: number): boolean {
    const [oldest] = this.#held.ranges;
    return oldest !== undefined && oldest.first <= revision;
  }

  /**
   * The newest revision that can be restored from this store alone: the end of the deltas that follow a base without a
   * gap. Undefined without a base.
   */
  get durable(): number | undefined {
    let newest: number | undefined;
    for (const base of this.#held.bases) {
      const end = this.#held.ranges.endAfter(base);
      if (newest === undefined || end > newest) newest = end;
    }
    return newest;
  }
}
