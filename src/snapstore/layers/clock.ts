import { setTimeout as delay } from "node:timers/promises";
import { InterruptedError } from "../../errors.js";

/** Time, handed in so that a test can make its own. */
export interface Clock {
  /** Milliseconds since some moment; never goes back. */
  now(): number;
  /** Throws InterruptedError when the signal fires. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  async sleep(ms, signal) {
    try {
      await delay(ms, undefined, { signal });
    } catch (error) {
      throw new InterruptedError(undefined, { cause: error });
    }
  },
};
