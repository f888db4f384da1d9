import { throwIfAborted } from "../../errors.js";
import { type Clock, systemClock } from "./clock.js";
import { StoreError } from "../errors.js";

/** How often and how long a call is tried. Times in milliseconds. */
export interface RetryPolicy {
  /** Most tries of one call, the first included. */
  readonly attempts: number;
  /** Of all tries of one call together, waits included. */
  readonly totalMs: number;
  /** Of one try; of a read: between two pieces. */
  readonly callMs: number;
  /** The longest wait before the second try; it doubles with each. */
  readonly firstDelayMs: number;
  readonly maxDelayMs: number;
  /** From 0 up to 1. */
  readonly random: () => number;
  readonly clock: Clock;
  /** Told of each try that failed and is followed by another. Must not throw. */
  readonly onRetry: (failed: FailedTry) => void;
}

/** A try of a call that was not the last one. Times in milliseconds. */
export interface FailedTry {
  readonly error: StoreError;
  /** How many have failed in a row, this one included. */
  readonly failures: number;
  /** From now to the next try. */
  readonly delayMs: number;
  /** That the waits before all further tries may come to, if each of them fails as this one did. */
  readonly mostDelaysMs: number;
}

export const RETRY_POLICY: RetryPolicy = {
  attempts: 8,
  totalMs: 15 * 60_000,
  callMs: 5 * 60_000,
  firstDelayMs: 200,
  maxDelayMs: 30_000,
  random: Math.random,
  clock: systemClock,
  onRetry: () => {},
};

/** A store that asks for less gets more time than one that was just not there. */
const THROTTLED_FACTOR = 4;

/** The tries of one call: when to give up, and how long to wait before the next. */
export class Attempts {
  readonly #policy: RetryPolicy;
  readonly #signal: AbortSignal | undefined;
  #failures = 0;
  #begun: number;

  constructor(policy: RetryPolicy, signal: AbortSignal | undefined) {
    this.#policy = policy;
    this.#signal = signal;
    this.#begun = policy.clock.now();
  }

  /** How many tries have failed since the beginning, or since there was progress. */
  get failures(): number {
    return this.#failures;
  }

  /** Something was achieved: the count and the deadline begin again. */
  progress(): void {
    this.#failures = 0;
    this.#begun = this.#policy.clock.now();
  }

  /** Waits until the next try. Throws `error` when there is none. */
  async failed(error: unknown): Promise<void> {
    throwIfAborted(this.#signal);
    if (!(error instanceof StoreError) || !error.retryable) throw error;
    this.#failures++;
    const { attempts, totalMs, clock, random, onRetry } = this.#policy;
    const failures = this.#failures;
    if (failures >= attempts) throw error;
    // Full jitter: anything up to the limit, so that many clients do not come back at once.
    const delayMs = (error.retryAfterMs ?? 0) + random() * this.#limitAfter(error, failures);
    const leftMs = totalMs - (clock.now() - this.#begun);
    if (delayMs > leftMs) throw error;
    let mostDelaysMs = delayMs;
    for (let more = failures + 1; more < attempts && mostDelaysMs < leftMs; more++) {
      mostDelaysMs += (error.retryAfterMs ?? 0) + this.#limitAfter(error, more);
    }
    onRetry({ error, failures, delayMs, mostDelaysMs: Math.min(mostDelaysMs, leftMs) });
    await clock.sleep(delayMs, this.#signal);
  }

  /** The exponential limit of the wait after so many failures, ms. */
  #limitAfter(error: StoreError, failures: number): number {
    const { firstDelayMs, maxDelayMs } = this.#policy;
    const first = error.code === "STORE_THROTTLED" ? firstDelayMs * THROTTLED_FACTOR : firstDelayMs;
    return Math.min(maxDelayMs, first * 2 ** (failures - 1));
  }
}
