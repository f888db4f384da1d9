/** How long a watch may take. */
export interface WatchLimits {
  /** Time between two linearizable reads of the revision, ms. */
  readonly checkMs: number;
  /** Longest time without progress while etcd has later revisions, ms. */
  readonly stuckMs: number;
  /**
   * Revisions that are missing at most when a watch begins. etcd 3.4 reads all of them for each thousand that it sends:
   * of 200,000 it sent an eighth in 98 seconds, then none.
   */
  readonly farBehind: number;
  /** Longest time that a watch is that far behind, ms. */
  readonly catchUpMs: number;
}

export const WATCH_LIMITS: WatchLimits = {
  checkMs: 5_000,
  stuckMs: 10_000,
  farBehind: 20_000,
  catchUpMs: 60_000,
};

export interface Progress {
  readonly nowMs: number;
  /** All revisions up to this one have come. */
  readonly covered: number;
  /** etcd had this revision before `covered` was looked at. */
  readonly current: number;
  /** Whether since the last look the consumer held the watch up, or a part of a revision has come. */
  readonly paused: boolean;
}

/** Judges whether a watch that etcd is ahead of still moves. */
export class ProgressJudge {
  readonly #limits: WatchLimits;
  /** The revision to reach, and where the watch was when it was seen. */
  #goal: { readonly revision: number; readonly from: number; readonly sinceMs: number } | undefined;
  #farSinceMs: number | undefined;

  constructor(limits: WatchLimits) {
    this.#limits = limits;
  }

  judge({ nowMs, covered, current, paused }: Progress): "stuck" | "far-behind" | undefined {
    const isFar = current - covered > this.#limits.farBehind;
    if (!isFar || paused) this.#farSinceMs = undefined;
    else this.#farSinceMs ??= nowMs;
    const goal = this.#goal;
    if (covered >= current) {
      this.#goal = undefined;
      return undefined;
    }
    if (this.#farSinceMs !== undefined && nowMs - this.#farSinceMs >= this.#limits.catchUpMs) {
      return "far-behind";
    }
    if (goal === undefined || paused || covered > goal.from) {
      this.#goal = { revision: current, from: covered, sinceMs: nowMs };
      return undefined;
    }
    if (nowMs - goal.sinceMs < this.#limits.stuckMs) return undefined;
    return isFar ? "far-behind" : "stuck";
  }
}
