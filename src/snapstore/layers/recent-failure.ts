import type { StoreError } from "../errors.js";
import type { FailedCall } from "./retry-policy.js";

/** An older failure does not explain the current state of a store. */
const RECENT_MS = 60_000;

/** The last retried failure, for the error of a caller that stops waiting before the retries end. */
export class RecentFailure {
  #last: { readonly error: StoreError; readonly until: number } | undefined;

  /** For `StoreRetryPolicy.onRetry`. */
  readonly note = ({ error, delayMs }: FailedCall): void => {
    this.#last = { error, until: performance.now() + delayMs + RECENT_MS };
  };

  get error(): StoreError | undefined {
    const { error, until = 0 } = this.#last ?? {};
    return performance.now() < until ? error : undefined;
  }
}
