import type { FailedCall } from "../../snapstore/layers/retry-policy.js";
import type { OperationContext } from "../context.js";

/** One failed try is nothing to speak of, unless the wait for the next is one that a user notices. */
const NOTICED_MS = 1_000;
/** Of one store is spoken no more often than this. */
const EVERY_MS = 30_000;

/** For `RetryPolicy.onRetry` of one store: says that its calls are tried again, early and seldom. */
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
