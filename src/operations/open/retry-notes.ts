import type { FailedCall } from "../../snapstore/layers/retry-policy.js";
import type { OperationContext } from "../context.js";

/** A first failure is reported when the wait before the retry is this long. */
const NOTICED_MS = 1_000;
/** Shortest time between two reports about a store. */
const EVERY_MS = 30_000;

/** Returns `RetryPolicy.onRetry` of one store, which reports retries now and then. */
export function retryNotes(report: OperationContext["report"]): (failed: FailedCall) => void {
  let next = Number.NEGATIVE_INFINITY;
  return ({ error, failures, delayMs, mostDelaysMs }) => {
    const now = performance.now();
    if (now < next || (failures === 1 && delayMs < NOTICED_MS)) return;
    next = now + EVERY_MS;
    const { store, message: reason } = error;
    report({ type: "store-retrying", store, reason, forMs: Math.round(mostDelaysMs) });
  };
}
