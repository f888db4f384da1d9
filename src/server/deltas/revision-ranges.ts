/** Consecutive revisions, both ends included. */
export interface RevisionRange {
  readonly first: number;
  readonly last: number;
}

/** A set of revisions, kept as ranges: what is consecutive costs no memory. */
export class RevisionRanges {
  /** In ascending order; none touches the next. */
  #ranges: RevisionRange[];

  constructor(ranges: Iterable<RevisionRange> = []) {
    this.#ranges = [];
    for (const range of ranges) this.add(range);
  }

  add({ first, last }: RevisionRange): void {
    if (first > last) return;
    const from = this.#firstEndingAtOrAfter(first - 1);
    let to = from;
    let merged = { first, last };
    for (; to < this.#ranges.length; to++) {
      const range = this.#ranges[to];
      if (range === undefined || range.first > last + 1) break;
      merged = {
        first: Math.min(merged.first, range.first),
        last: Math.max(merged.last, range.last),
      };
    }
    this.#ranges.splice(from, to - from, merged);
  }

  /** The last revision of the run that begins right after `revision`; `revision` itself if the next one is not there. */
  endAfter(revision: number): number {
    const range = this.#ranges[this.#firstEndingAtOrAfter(revision + 1)];
    return range !== undefined && range.first <= revision + 1 ? range.last : revision;
  }

  has({ first, last }: RevisionRange): boolean {
    return this.endAfter(first - 1) >= last;
  }

  [Symbol.iterator](): Iterator<RevisionRange> {
    return this.#ranges[Symbol.iterator]();
  }

  get size(): number {
    return this.#ranges.length;
  }

  /** Index of the first range that ends at `revision` or after it. */
  #firstEndingAtOrAfter(revision: number): number {
    let [low, high] = [0, this.#ranges.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#ranges[middle]?.last ?? 0) < revision) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
