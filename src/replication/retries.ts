import { type RetryPolicy, retry } from "../flow/retry.js";
import { STORE_RETRIES, type StoreRetryPolicy } from "../snapstore/layers/retry-policy.js";

export interface RetrySettings {
  /** Tries after the first one. */
  readonly maxRetries: number;
  /** Longest wait before the first retry, ms; it doubles with each. */
  readonly backoffMs: number;
}

const LONGEST_WAIT_MS = 5 * 60_000;

/** The policy of each call to the two stores of a copy, which {@link RetrySettings} alone limit. */
export function copyRetries({ maxRetries, backoffMs }: RetrySettings): StoreRetryPolicy {
  return {
    ...STORE_RETRIES,
    attempts: maxRetries + 1,
    totalMs: Number.POSITIVE_INFINITY,
    firstDelayMs: backoffMs,
    maxDelayMs: LONGEST_WAIT_MS,
  };
}

/** Repeats work of several calls for failures that no single call can mend. */
export function withRetries<T>(
  work: () => Promise<T>,
  options: RetrySettings & {
    readonly signal: AbortSignal;
    readonly worthIt: (error: unknown) => boolean;
  },
): Promise<T> {
  const policy: RetryPolicy<unknown> = {
    ...copyRetries(options),
    advise: (error) => (options.worthIt(error) ? { error } : undefined),
    onRetry: () => {},
  };
  return retry(policy, options.signal, work);
}
