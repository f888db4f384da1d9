import { InterruptedError } from "../errors.js";

/**
 * Resolves with `work`, or throws InterruptedError as soon as the signal aborts. For work that takes no signal, or that
 * others share: it goes on in the background.
 */
export async function raceAbort<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await work;
  let interrupt = () => {};
  const interrupted = new Promise<never>((_, reject) => {
    interrupt = () => reject(new InterruptedError());
    if (signal.aborted) interrupt();
    signal.addEventListener("abort", interrupt, { once: true });
  });
  try {
    return await Promise.race([work, interrupted]);
  } finally {
    signal.removeEventListener("abort", interrupt);
  }
}
