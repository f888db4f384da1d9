import { InterruptedError } from "../errors.js";

/** What `work` comes to, or an error as soon as the signal fires: for work that nobody can end, or that others share. */
export async function heeding<T>(
  work: Promise<T>,
  signal: AbortSignal | undefined,
  errorOf: (signal: AbortSignal) => unknown = () => new InterruptedError(),
): Promise<T> {
  if (signal === undefined) return await work;
  let interrupt = () => {};
  const interrupted = new Promise<never>((_, reject) => {
    interrupt = () => reject(errorOf(signal));
    signal.addEventListener("abort", interrupt, { once: true });
  });
  try {
    return await Promise.race([work, interrupted]);
  } finally {
    signal.removeEventListener("abort", interrupt);
  }
}
