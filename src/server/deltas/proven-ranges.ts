import type { DeltaProof } from "../../operations/status/delta-status.js";
import { type RevisionRange, RevisionRanges } from "./revision-ranges.js";

/** Revisions that a full backup could not prove. */
export interface Unproven {
  /** Of the backup. */
  readonly name: string;
  /** Revision of the raw snapshot before it; undefined where that is not known. */
  readonly older: number | undefined;
  /** Revision of the backup. */
  readonly last: number;
  readonly proof: DeltaProof;
}

/** Beyond so many the first and the newest are kept. */
const MOST_UNPROVEN = 100;

/** Which revisions of the log are proved, and which are known not to be. */
export class ProvenRanges {
  /** Revisions that are changes, after the raw snapshots that they were added to. */
  #proven = new RevisionRanges();
  /** In ascending order. */
  #unproven: Unproven[] = [];
  /** Revision of two raw snapshots that were the same. */
  #unchanged: number | undefined;

  get firstUnproven(): Unproven | undefined {
    return this.#unproven[0];
  }

  /** Those that a later try may prove: no difference was found. */
  get failed(): readonly Unproven[] {
    return this.#unproven.filter(({ proof }) => proof.outcome === "failed");
  }

  /** The last of the proved revisions that follow each other from the first one on; undefined without one. */
  get end(): number | undefined {
    const { firstUnproven } = this;
    const [oldest] = this.#proven;
    if (firstUnproven === undefined) return oldest?.last ?? this.#unchanged;
    const { first } = rangeOf(firstUnproven);
    if (oldest === undefined || oldest.first >= first) return undefined;
    return Math.min(oldest.last, first - 1);
  }

  /** What the log adds to the raw snapshot of revision `older` makes that of revision `last`. */
  prove(older: number, last: number): void {
    if (older === last) this.#unchanged = last;
    this.#proven.add({ first: older + 1, last });
    this.forget((one) => this.#proven.has(rangeOf(one)));
  }

  /** Whether nothing is known of the revisions up to this one, while earlier ones were proved. */
  hasGapUpTo(revision: number): boolean {
    const [oldest] = this.#proven;
    if (oldest === undefined || oldest.last >= revision) return false;
    const isKnown = ({ last }: RevisionRange): boolean => last === revision;
    return !([...this.#proven].some(isKnown) || this.#unproven.map(rangeOf).some(isKnown));
  }

  /** What was proved before no raw snapshot and delta shows any more. */
  forgetProven(isGone: (range: RevisionRange) => boolean): void {
    const left = [...this.#proven].filter(
      (range, i, { length }) => i === length - 1 || !isGone(range),
    );
    this.#proven = new RevisionRanges(left);
  }

  fail(unproven: Unproven): void {
    const others = this.#unproven.filter(({ name }) => name !== unproven.name);
    this.#unproven = [...others, unproven].sort((a, b) => a.last - b.last);
    if (this.#unproven.length > MOST_UNPROVEN) this.#unproven.splice(1, 1);
  }

  forget(isGone: (unproven: Unproven) => boolean): void {
    this.#unproven = this.#unproven.filter((one) => !isGone(one));
  }

  clearProven(): void {
    this.#proven = new RevisionRanges();
    this.#unchanged = undefined;
  }

  clear(): void {
    this.clearProven();
    this.#unproven = [];
  }
}

/** Where it is not known since when, only the last revision counts: what is before it is not known to be proved either. */
function rangeOf({ older, last }: Unproven): RevisionRange {
  return { first: Math.min(last, (older ?? last - 1) + 1), last };
}
