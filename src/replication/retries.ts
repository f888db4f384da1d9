import { setTimeout as sleep } from "node:timers/promises";
import { InterruptedError, throwIfAborted } from "../errors.js";
import { StoreError } from "../snapstore/errors.js";

export interface RetrySettings {
  /** Tries after the first one. */
  readonly maxRetries: number;
  /** Longest wait before the first retry, ms; each further one may take twice as long. */
  readonly backoffMs: number;
}

const LONGEST_WAIT_MS = 5 * 60_000;

/**
 * Does `work` again when it fails in a way that may pass. The wait is any time up to the bound (full
 * jitter), so that many who failed together do not come back together; never less than the store asked
 * for.
 */
export async function withRetries<T>(
  work: () => Promise<T>,
  options: RetrySettings & {
    readonly signal: AbortSignal;
    readonly worthIt: (error: unknown) => boolean;
  },
): Promise<T> {
  for (let retry = 0; ; retry++) {
    throwIfAborted(options.signal);
    try {
      return await work();
    } catch (error) {
      if (retry >= options.maxRetries || !options.worthIt(error)) throw error;
      const bound = Math.min(LONGEST_WAIT_MS, options.backoffMs * 2 ** retry);
      const asked = error instanceof StoreError ? (error.retryAfterMs ?? 0) : 0;
      await pause(Math.max(asked, Math.random() * bound), options.signal);
    }
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch (cause) {
    throw new InterruptedError("interrupted between two tries", { cause });
  }
}
