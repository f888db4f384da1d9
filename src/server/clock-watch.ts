/** How far the time of day may go back before it counts as set, ms. */
const TOLERANCE_MS = 5_000;

/** Notices that the time of day was set back. */
export class ClockWatch {
  #ahead = Date.now() - performance.now();

  /** Whether it was set back since the last look. */
  wasSetBack(): boolean {
    const ahead = Date.now() - performance.now();
    const isBack = ahead < this.#ahead - TOLERANCE_MS;
    this.#ahead = ahead;
    return isBack;
  }
}
