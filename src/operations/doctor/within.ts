import { BackupToolError, InterruptedError, throwIfAborted } from "../../errors.js";

/** Longest wait for one answer of a server, ms: one that is slow is not one that is down. */
export const ANSWER_MS = 10_000;
/** Longest wait for a step, its two tries and all, ms: whatever does not keep to the one above. */
export const STEP_MS = 30_000;

/** Waits so long for some work and no longer, also where it does not end by its signal. */
export async function within<T>(
  ms: number,
  outer: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  throwIfAborted(outer);
  const controller = new AbortController();
  let end = (): void => {};
  const ended = new Promise<never>((_, reject) => {
    const interrupted = (): void => reject(new InterruptedError());
    const late = (): void =>
      reject(new BackupToolError("DOCTOR_TIMEOUT", `no answer within ${ms / 1000} seconds`));
    const timer = setTimeout(late, ms);
    outer?.addEventListener("abort", interrupted, { once: true });
    end = () => {
      clearTimeout(timer);
      outer?.removeEventListener("abort", interrupted);
    };
  });
  try {
    return await Promise.race([work(controller.signal), ended]);
  } finally {
    end();
    controller.abort();
  }
}
