import { setTimeout as delay } from "node:timers/promises";
import { InterruptedError } from "../errors.js";

/** The longest wait of a timer; Node fires at once for a longer one. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Resolves after `ms` milliseconds. Throws InterruptedError as soon as the signal aborts. */
export async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await delay(Math.min(ms, MAX_TIMER_MS), undefined, { signal });
  } catch (cause) {
    throw new InterruptedError(undefined, { cause });
  }
}

/** The time, as a parameter so that tests can set it. */
export interface Clock {
  /** Milliseconds since an arbitrary moment; never goes back. */
  now(): number;
  sleep: typeof sleep;
}

export const systemClock: Clock = { now: () => performance.now(), sleep };
