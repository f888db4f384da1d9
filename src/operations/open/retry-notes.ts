import type { FailedCall } from "../../snapstore/layers/retry-policy.js";
import type { OperationContext } from "../context.js";

/** A first failure is not reported unless the wait before the retry is as long as this. */
const NOTICED_MS = 1_000;
/** Least time between two reports about one store. */
const EVERY_MS = 30_000;

/** For `RetryPolicy.onRetry` of one store: reports that its calls are retried: early, and seldom. */
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
