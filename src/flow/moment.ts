import { uptime } from "node:os";

/** A clock in milliseconds. */
type Clock = () => number;

/**
 * The monotonic clock stops while the machine is suspended; the time since boot (CLOCK_BOOTTIME) does not; the wall
 * clock may be set. A virtual machine that its host has paused may see none of them move.
 */
const CLOCKS: readonly Clock[] = [() => performance.now(), () => uptime() * 1000, () => Date.now()];

/** A point in time, by all clocks of the machine. */
export class Moment {
  readonly #clocks: readonly Clock[];
  readonly #times: readonly number[];

  private constructor(clocks: readonly Clock[]) {
    this.#clocks = clocks;
    this.#times = clocks.map((clock) => clock());
  }

  static now(clocks: readonly Clock[] = CLOCKS): Moment {
    return new Moment(clocks);
  }

  /** Time since then, ms, by the clock that has moved most: never less than has really passed, if any clock knows. */
  elapsedMs(): number {
    return Math.max(...this.#clocks.map((clock, i) => clock() - (this.#times[i] ?? 0)));
  }
}
