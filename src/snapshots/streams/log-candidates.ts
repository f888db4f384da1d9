import type { ListedDelta } from "./delta-table.js";
import type { LogStream } from "./log-stream.js";

/** A delta that holds the next revision, by its name. */
export interface Candidate {
  readonly stream: LogStream;
  readonly delta: ListedDelta;
  /** Its place in the table of its stream. */
  readonly index: number;
}

/** Finds the deltas that hold a revision, for revisions that ascend. */
export class LogCandidates {
  readonly #streams: readonly LogStream[];
  /** Of each delta: the number of its stream, its place there, and its first revision. */
  readonly #owners: Uint32Array;
  readonly #places: Uint32Array;
  readonly #firsts: Float64Array;
  /** The deltas in the order of their first revisions. */
  readonly #order: Uint32Array;
  #next = 0;
  #active: Candidate[] = [];

  constructor(streams: readonly LogStream[], after: number, upTo: number) {
    this.#streams = streams;
    const all = streams.reduce((sum, { deltas }) => sum + deltas.length, 0);
    const owners = new Uint32Array(all);
    const places = new Uint32Array(all);
    const firsts = new Float64Array(all);
    let count = 0;
    for (const [owner, { deltas }] of streams.entries()) {
      for (let place = 0; place < deltas.length; place++) {
        const { first, last } = deltas.at(place);
        if (last <= after || first > upTo) continue;
        owners[count] = owner;
        places[count] = place;
        firsts[count] = first;
        count++;
      }
    }
    this.#owners = owners.slice(0, count);
    this.#places = places.slice(0, count);
    this.#firsts = firsts.slice(0, count);
    this.#order = Uint32Array.from({ length: count }, (_, i) => i).sort(
      (a, b) => (firsts[a] ?? 0) - (firsts[b] ?? 0) || a - b,
    );
  }

  /** Deltas that hold the revision and were not dropped. */
  holding(revision: number): readonly Candidate[] {
    for (; this.#next < this.#order.length; this.#next++) {
      const candidate = this.#candidate(this.#next);
      if (candidate === undefined || candidate.delta.first > revision) break;
      this.#active.push(candidate);
    }
    this.#active = this.#active.filter(({ delta }) => delta.last >= revision);
    return this.#active;
  }

  /** The first revision above this one with which a delta begins. */
  firstAbove(revision: number): number | undefined {
    return this.#firsts.reduce<number | undefined>(
      (least, first) =>
        first > revision && (least === undefined || first < least) ? first : least,
      undefined,
    );
  }

  /** Leaves a delta out of later results. */
  drop(candidate: Candidate): void {
    this.#active = this.#active.filter((one) => one !== candidate);
  }

  #candidate(rank: number): Candidate | undefined {
    const i = this.#order[rank] ?? 0;
    const stream = this.#streams[this.#owners[i] ?? 0];
    const index = this.#places[i] ?? 0;
    return stream && { stream, index, delta: stream.deltas.at(index) };
  }
}
