import { ArchiveError } from "../../archive/errors.js";
import { retry } from "../../flow/retry.js";
import { StoreError } from "../../snapstore/errors.js";
import { STORE_RETRIES, type StoreRetryPolicy } from "../../snapstore/layers/retry-policy.js";
import { CopyMismatch } from "./file.js";

export interface RetrySettings {
  /** Tries after the first one. */
  readonly maxRetries: number;
  /** Longest wait before the first retry, ms; it doubles with each. */
  readonly backoffMs: number;
}

const LONGEST_WAIT_MS = 5 * 60_000;

/** Tries of one call at least, as in every other operation on a store. */
const LEAST_ATTEMPTS = 4;

/** The policy of the calls to both stores of a copy, to open them with ({@link RetryingStore}). */
export function copyRetryPolicy({ maxRetries, backoffMs }: RetrySettings): StoreRetryPolicy {
  return {
    ...STORE_RETRIES,
    attempts: Math.max(LEAST_ATTEMPTS, maxRetries + 1),
    firstDelayMs: backoffMs,
    maxDelayMs: LONGEST_WAIT_MS,
  };
}

/** Repeats a step of a copy whose calls succeed, but whose result is wrong: {@link copyRetryPolicy} repeats calls. */
export function repeatWrongStep<T>(
  settings: RetrySettings,
  signal: AbortSignal,
  step: () => Promise<T>,
): Promise<T> {
  const advise = (error: unknown) => (isPassing(error) ? { error } : undefined);
  const policy = {
    ...copyRetryPolicy(settings),
    attempts: settings.maxRetries + 1,
    totalMs: Number.POSITIVE_INFINITY,
  };
  return retry({ ...policy, advise, onRetry: () => {} }, signal, step);
}

/** Wrong bytes, which a network may have made, and a file that another program has put there meanwhile. */
function isPassing(error: unknown): boolean {
  if (error instanceof StoreError) return error.code === "STORE_EXISTS";
  if (error instanceof ArchiveError) return error.code === "DAMAGED";
  return error instanceof CopyMismatch;
}
