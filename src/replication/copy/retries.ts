import { ArchiveError } from "../../archive/errors.js";
import { retry } from "../../flow/retry.js";
import { StoreError } from "../../snapstore/errors.js";
import {
  INTERACTIVE_ATTEMPTS,
  STORE_RETRIES,
  type StoreRetryPolicy,
} from "../../snapstore/layers/retry-policy.js";
import { CopyMismatch } from "./file.js";

export interface RetrySettings {
  /** Attempts after the first one. */
  readonly maxRetries: number;
  /** Maximum wait before the first retry, ms; doubles with each retry. */
  readonly backoffMs: number;
}

const MAX_WAIT_MS = 5 * 60_000;

/** The retry policy for calls to both stores of a copy ({@link RetryingStore}). */
export function copyRetryPolicy({ maxRetries, backoffMs }: RetrySettings): StoreRetryPolicy {
  return {
    ...STORE_RETRIES,
    attempts: Math.max(INTERACTIVE_ATTEMPTS, maxRetries + 1),
    firstDelayMs: backoffMs,
    maxDelayMs: MAX_WAIT_MS,
  };
}

/** Retries a step of a copy whose calls succeed with a wrong result; {@link copyRetryPolicy} retries the calls. */
export function retryStep<T>(
  settings: RetrySettings,
  signal: AbortSignal,
  step: () => Promise<T>,
): Promise<T> {
  const advise = (error: unknown) => (isRetryable(error) ? { error } : undefined);
  const policy = {
    ...copyRetryPolicy(settings),
    attempts: settings.maxRetries + 1,
    totalMs: Number.POSITIVE_INFINITY,
  };
  return retry({ ...policy, advise, onRetry: () => {} }, signal, step);
}

/** Wrong bytes, perhaps corrupted on the network, and an object that a concurrent copy has created. */
function isRetryable(error: unknown): boolean {
  if (error instanceof StoreError) return error.code === "STORE_EXISTS";
  if (error instanceof ArchiveError) return error.code === "DAMAGED";
  return error instanceof CopyMismatch;
}
