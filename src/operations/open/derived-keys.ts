import { throwIfAborted } from "../../errors.js";
import { raceAbort } from "../../flow/race-abort.js";
import type { OperationContext } from "../context.js";

/**
 * Reports that keys are made while `open` runs, and how long it took. Rejects as soon as the signal aborts: a derivation
 * cannot be stopped, and ends with the process.
 */
export async function timedKeys<T>(
  { report, signal }: Pick<OperationContext, "report" | "signal">,
  open: () => Promise<T>,
): Promise<T> {
  throwIfAborted(signal);
  const started = performance.now();
  report({ type: "keys-start" });
  const opened = await raceAbort(open(), signal);
  report({ type: "keys-done", elapsedMs: performance.now() - started });
  return opened;
}
