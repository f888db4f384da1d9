import type { FailedTry, RetryAdvice, RetryPolicy } from "../../flow/retry.js";
import { systemClock } from "../../flow/sleep.js";
import { StoreError } from "../errors.js";

/** How often and for how long a call is retried. */
export interface StoreRetryPolicy extends RetryPolicy<StoreError> {
  /** Deadline of one attempt, ms; for a read, between two pieces. */
  readonly callMs: number;
}

export type FailedCall = FailedTry<StoreError>;

export const STORE_RETRIES: StoreRetryPolicy = {
  attempts: 8,
  totalMs: 15 * 60_000,
  callMs: 5 * 60_000,
  firstDelayMs: 200,
  maxDelayMs: 30_000,
  random: Math.random,
  clock: systemClock,
  advise: adviseRetry,
  onRetry: () => {},
};

/** Tries of one call, with the first, where a user waits for the answer: few. */
export const INTERACTIVE_ATTEMPTS = 4;

/** Factor for the waits after STORE_THROTTLED. */
const THROTTLED_FACTOR = 4;

function adviseRetry(error: unknown): RetryAdvice<StoreError> | undefined {
  if (!(error instanceof StoreError) || !error.retryable) return undefined;
  const factor = error.code === "STORE_THROTTLED" ? THROTTLED_FACTOR : 1;
  return { error, afterMs: error.retryAfterMs, factor };
}
