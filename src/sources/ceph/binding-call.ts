import { InterruptedError, throwIfAborted } from "../../errors.js";
import { raceAbort } from "../../flow/race-abort.js";
import { CephError, type CephErrorContext, ECANCELED } from "./errors.js";
import type { Callback } from "./librados.js";

/**
 * Makes a call of the binding; resolves with its result. When the signal aborts, it rejects at once, and the call goes on
 * for a moment.
 *
 * @param context of the CephError for a negative errno
 * @throws CephError, InterruptedError
 */
export async function callBinding<Result>(
  signal: AbortSignal,
  context: CephErrorContext,
  start: (done: Callback<Result>) => void,
): Promise<Result> {
  throwIfAborted(signal);
  const answer = new Promise<Result>((resolve, reject) => {
    start((code, result) => {
      if (result !== undefined) resolve(result);
      else if (code === ECANCELED)
        reject(new InterruptedError("the connection to ceph was closed"));
      else reject(CephError.of(code, context));
    });
  });
  return await raceAbort(answer, signal);
}
