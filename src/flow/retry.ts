import { throwIfAborted } from "../errors.js";
import type { Clock } from "./sleep.js";

/** How often and how long a call is tried, and after which failures. Times in milliseconds. */
export interface RetryPolicy<E> {
  /** Most tries of one call, the first included. */
  readonly attempts: number;
  /** Of all tries of one call together, waits included. */
  readonly totalMs: number;
  /** The longest wait before the second try; it doubles with each. */
  readonly firstDelayMs: number;
  readonly maxDelayMs: number;
  /** From 0 up to 1. */
  readonly random: () => number;
  readonly clock: Clock;
  /** What a failure asks for; undefined when another try would fail as well. */
  readonly advise: (error: unknown) => RetryAdvice<E> | undefined;
  /** Called for each failed try that is followed by another. Must not throw. */
  readonly onRetry: (failed: FailedTry<E>) => void;
}

export interface RetryAdvice<E> {
  readonly error: E;
  /** The peer asked to wait so long (Retry-After), ms: added to the wait. */
  readonly afterMs?: number | undefined;
  /** Multiplies the policy's first delay; 1 by default. */
  readonly factor?: number | undefined;
}

/** A try of a call that was not the last one. Times in milliseconds. */
export interface FailedTry<E> {
  readonly error: E;
  /** How many have failed in a row, this one included. */
  readonly failures: number;
  /** From now to the next try. */
  readonly delayMs: number;
  /** The longest that the waits before all further tries may take, if each fails as this one did. */
  readonly mostDelaysMs: number;
}

/**
 * Calls `work` until it succeeds, or a failure is final: throws the last error then.
 *
 * @param work gets the number of tries that have failed before
 */
export async function retry<T, E>(
  policy: RetryPolicy<E>,
  signal: AbortSignal | undefined,
  work: (failures: number) => Promise<T>,
): Promise<T> {
  const attempts = new Attempts(policy, signal);
  for (;;) {
    throwIfAborted(signal);
    try {
      return await work(attempts.failures);
    } catch (error) {
      await attempts.failed(error);
    }
  }
}

/** The tries of one call, for a caller with a loop of its own. */
export class Attempts<E> {
  readonly #policy: RetryPolicy<E>;
  readonly #signal: AbortSignal | undefined;
  #failures = 0;
  #begun: number;

  constructor(policy: RetryPolicy<E>, signal: AbortSignal | undefined) {
    this.#policy = policy;
    this.#signal = signal;
    this.#begun = policy.clock.now();
  }

  /** Tries that have failed since the beginning, or since there was progress. */
  get failures(): number {
    return this.#failures;
  }

  /** Restarts the count of tries and their total time. */
  progress(): void {
    this.#failures = 0;
    this.#begun = this.#policy.clock.now();
  }

  /** Waits until the next try. Throws `error` when it is final, InterruptedError once the signal has aborted. */
  async failed(error: unknown): Promise<void> {
    throwIfAborted(this.#signal);
    const { attempts, totalMs, clock, random, onRetry } = this.#policy;
    const advice = this.#policy.advise(error);
    const failures = ++this.#failures;
    if (advice === undefined || failures >= attempts) throw error;
    const { afterMs = 0 } = advice;
    // Full jitter: any wait up to the limit, so that many clients do not come back at once.
    const delayMs = afterMs + random() * this.#limitAfter(failures, advice);
    const leftMs = totalMs - (clock.now() - this.#begun);
    if (delayMs > leftMs) throw error;
    let mostDelaysMs = delayMs;
    for (let more = failures + 1; more < attempts && mostDelaysMs < leftMs; more++) {
      mostDelaysMs += afterMs + this.#limitAfter(more, advice);
    }
    mostDelaysMs = Math.min(mostDelaysMs, leftMs);
    onRetry({ error: advice.error, failures, delayMs, mostDelaysMs });
    await clock.sleep(delayMs, this.#signal);
  }

  /** The exponential limit of the wait after so many failures, ms. */
  #limitAfter(failures: number, { factor = 1 }: RetryAdvice<E>): number {
    const { firstDelayMs, maxDelayMs } = this.#policy;
    return Math.min(maxDelayMs, firstDelayMs * factor * 2 ** (failures - 1));
  }
}
