import { InterruptedError, throwIfAborted } from "../../errors.js";
import { ECANCELED } from "./errors.js";
import type { Callback } from "./librados.js";

/** Turns a call of the binding into a promise that the signal ends. */
export async function answered<Results extends unknown[]>(
  signal: AbortSignal,
  start: (done: Callback<Results>) => void,
): Promise<{ code: number; results: Results }> {
  throwIfAborted(signal);
  const answer = await new Promise<{ code: number; results: Results }>((resolve, reject) => {
    const abort = (): void => reject(new InterruptedError());
    signal.addEventListener("abort", abort, { once: true });
    try {
      start((code, ...results) => {
        signal.removeEventListener("abort", abort);
        resolve({ code, results });
      });
    } catch (error) {
      signal.removeEventListener("abort", abort);
      throw error;
    }
  });
  if (answer.code === ECANCELED) throw new InterruptedError("the connection to ceph was closed");
  return answer;
}
