/** Revisions up to `last`, after those of the mark before, were known of at `atMs`. */
interface Mark {
  readonly last: number;
  readonly atMs: number;
}

/** Marks this close together are one, with the earlier time, ms. */
const RESOLUTION_MS = 100;
/** Marks that are kept: those of hours while a store is down. */
const MOST_MARKS = 4096;

/**
 * When revisions were first known of, by a monotonic clock in ms. Memory is bounded by merging: a time is never later
 * than the true one, so that an age is never too low.
 */
export class SeenTimes {
  #marks: Mark[] = [];
  #known = 0;

  /** All revisions up to `revision` are known of. Times must not decrease. */
  known(revision: number, atMs: number): void {
    if (revision <= this.#known) return;
    this.#known = revision;
    const newest = this.#marks.at(-1);
    if (newest !== undefined && atMs - newest.atMs < RESOLUTION_MS) {
      this.#marks[this.#marks.length - 1] = { last: revision, atMs: newest.atMs };
      return;
    }
    this.#marks.push({ last: revision, atMs });
    if (this.#marks.length > MOST_MARKS) this.#thin();
  }

  /** The newest revision that is known of; 0 before the first. */
  get newest(): number {
    return this.#known;
  }

  /** When the oldest revision after `revision` became known; undefined if none is. */
  oldestAfter(revision: number): number | undefined {
    return this.#marks.find(({ last }) => last > revision)?.atMs;
  }

  /** Nothing asks for these any more. */
  forgetUpTo(revision: number): void {
    const kept = this.#marks.findIndex(({ last }) => last > revision);
    this.#marks = kept === -1 ? [] : this.#marks.slice(kept);
  }

  /** Halves the number of marks: two neighbours become one, of the earlier time. */
  #thin(): void {
    const thinned: Mark[] = [];
    for (let i = 0; i < this.#marks.length; i += 2) {
      const earlier = this.#marks[i];
      const later = this.#marks[i + 1] ?? earlier;
      if (earlier === undefined || later === undefined) continue;
      thinned.push({ last: later.last, atMs: earlier.atMs });
    }
    this.#marks = thinned;
  }
}
