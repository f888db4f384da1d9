import type { OperationContext } from "./context.js";

/** Reports that keys are made while `open` runs, and how long it took. */
export async function timedKeys<T>(
  report: OperationContext["report"],
  open: () => Promise<T>,
): Promise<T> {
  const started = performance.now();
  report({ type: "keys-start" });
  const opened = await open();
  report({ type: "keys-done", elapsedMs: performance.now() - started });
  return opened;
}
