import { setTimeout as delay } from "node:timers/promises";
import { InterruptedError } from "../errors.js";

/** Resolves after `ms` milliseconds. Throws InterruptedError as soon as the signal aborts. */
export async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal });
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
