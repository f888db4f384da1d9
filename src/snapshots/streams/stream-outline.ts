import type { SnapStore } from "../../snapstore/store.js";
import { DeltaLimit, MAX_LISTED_DELTAS } from "./delta-limit.js";
import type { DeltaTable, ListedDelta } from "./delta-table.js";
import type { DeltaFacts, DeltaTaker, StoredStream } from "./stored-stream.js";

/** A stream without the names of its deltas: enough to decide about it as a whole. */
export type StreamOutline = StoredStream<DeltaFacts>;

/** Where memory is short, times closer together than this are left out, seconds. */
const COARSE_SECONDS = 60;

/** A listing that keeps whole deltas, of 40 bytes each, takes at least the memory of so many times. */
const TIMES_A_DELTA = 4;

/**
 * Keeps of the deltas of each stream in a listing when they were written, in 8 bytes each. Of a store with more deltas than
 * other listings can hold it keeps one time a minute: for retention, which counts in hours, that makes streams some
 * minutes younger at most. Throws STORE_OVERFLOW where that is too much as well.
 */
export function outlined(store: SnapStore, limit = MAX_LISTED_DELTAS): DeltaTaker<DeltaFacts> {
  const bound = new DeltaLimit(store, limit);
  const all: DeltaOutline[] = [];
  let times = 0;
  let runs = 0;
  let isCoarse = false;
  return (listed) => {
    const outline = new DeltaOutline(listed.deltas);
    all.push(outline);
    if (isCoarse) outline.thin();
    times += outline.times.length;
    // A hostile store may have a gap after each delta.
    runs += listed.runs.length;
    if (!isCoarse && !bound.allows(times)) {
      isCoarse = true;
      for (const one of all) times -= one.thin();
    }
    bound.check(Math.max(times / TIMES_A_DELTA, runs), listed.name);
    return outline;
  };
}

class DeltaOutline implements DeltaFacts {
  readonly length: number;
  readonly bytes: number;
  readonly newest: ListedDelta | undefined;
  /** Seconds since 1970. */
  times: Float64Array;

  constructor(deltas: DeltaTable) {
    this.length = deltas.length;
    this.bytes = deltas.bytes;
    this.newest = deltas.newest;
    this.times = new Float64Array(deltas.length);
    for (let i = 0; i < deltas.length; i++) this.times[i] = deltas.at(i).time;
  }

  *[Symbol.iterator](): Generator<{ readonly time: number }, void, void> {
    for (const time of this.times) yield { time };
  }

  /** Keeps the first and the last time, both ends of each pause, and one a minute. Returns how many it drops. */
  thin(): number {
    const all = this.times;
    const isFar = (a: number | undefined, b: number | undefined): boolean =>
      a === undefined || b === undefined || Math.abs(a - b) >= COARSE_SECONDS;
    let kept: number | undefined;
    this.times = all.filter((time, i) => {
      if (!isFar(kept, time) && !isFar(time, all[i + 1])) return false;
      kept = time;
      return true;
    });
    return all.length - this.times.length;
  }
}
