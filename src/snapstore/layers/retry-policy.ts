import type { FailedTry, RetryAdvice, RetryPolicy } from "../../flow/retry.js";
import { systemClock } from "../../flow/sleep.js";
import { StoreError } from "../errors.js";

/** How often and how long a call of a store is tried. */
export interface StoreRetryPolicy extends RetryPolicy<StoreError> {
  /** Of one try, ms; of a read: between two pieces. */
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

/** A store that throttles gets more time than one that was just unreachable. */
const THROTTLED_FACTOR = 4;

function adviseRetry(error: unknown): RetryAdvice<StoreError> | undefined {
  if (!(error instanceof StoreError) || !error.retryable) return undefined;
  const factor = error.code === "STORE_THROTTLED" ? THROTTLED_FACTOR : 1;
  return { error, afterMs: error.retryAfterMs, factor };
}
