import type { ChainLinks } from "../chain-links.js";
import { mayBeBasedOn } from "../delete.js";
import type { Candidate } from "./candidate.js";
import type { Reason } from "./reason.js";

/** The snapshots that are kept, with the reasons for each. */
export class KeptSnapshots {
  readonly #links: ChainLinks<Candidate>;
  readonly #reasons = new Map<Candidate, Reason[]>();

  constructor(links: ChainLinks<Candidate>) {
    this.#links = links;
  }

  add(one: Candidate, reason: Reason): void {
    const reasons = this.#reasons.get(one);
    if (reasons === undefined) this.#reasons.set(one, [reason]);
    else reasons.push(reason);
  }

  /** Undefined if it is not kept. */
  reasonsOf(one: Candidate): readonly Reason[] | undefined {
    return this.#reasons.get(one);
  }

  /** Adds what the kept snapshots need, and all names of each kept backup: only one of them can be restored. */
  addNeeded(all: readonly Candidate[]): void {
    const based = new Set<Candidate>();
    // Grows while it is read. Newest first, so that the reason names the newest.
    const kept = new Set(all.filter((one) => this.#reasons.has(one)).reverse());
    let left = all;
    const need = (one: Candidate, reason: Reason): void => {
      this.add(one, reason);
      kept.add(one);
    };
    for (const one of kept) {
      const { text } = one.name;
      for (const base of this.#links.basesOf(one)) {
        if (based.has(base)) continue;
        based.add(base);
        need(base, { code: "base-of", words: `base of ${text}` });
      }
      for (const copy of this.#links.copiesOf(one)) {
        if (kept.has(copy)) continue;
        need(copy, { code: "same-backup", words: `the same backup as ${text}` });
      }
      if (!hasUnknownBase(one)) continue;
      // Shorter with each: a hostile store may have thousands of them.
      left = left.filter((other) => !kept.has(other));
      for (const other of left) {
        if (!mayBeBasedOn(one, other)) continue;
        need(other, { code: "may-be-base", words: `maybe the base of ${text} (${one.state})` });
      }
    }
  }
}

/** An unfinished snapshot that no run is writing any more needs nothing: it cannot be completed. */
function hasUnknownBase({ state, facts, inProgress }: Candidate): boolean {
  return facts === undefined && (state === "damaged" || inProgress);
}
