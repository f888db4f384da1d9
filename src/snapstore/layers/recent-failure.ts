import type { StoreError } from "../errors.js";
import type { FailedCall } from "./retry-policy.js";

/** What is longer ago no longer explains how a store is now. */
const RECENT_MS = 60_000;

/** Why a store's calls were tried again of late, for who gives up before the tries do. */
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
