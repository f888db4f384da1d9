import { InterruptedError, throwIfAborted } from "../errors.js";
import { raceAbort } from "./race-abort.js";

/** A peer took longer than a deadline allows. The code is that of a timeout in Node's sockets. */
export class TimeoutError extends Error {
  override readonly name = "TimeoutError";
  readonly code = "ETIMEDOUT";

  constructor(ms: number, options?: ErrorOptions) {
    super(`no answer within ${ms / 1000} seconds`, options);
  }
}

/** The signal of one call: aborts with the caller's signal, or after `ms` milliseconds. `end` must be called. */
export class Deadline {
  readonly #ms: number;
  readonly #outer: AbortSignal | undefined;
  readonly #controller = new AbortController();
  readonly #abort = () => this.#controller.abort();
  #timer: NodeJS.Timeout | undefined;
  #expired = false;
  #ended = false;

  constructor(ms: number, outer: AbortSignal | undefined) {
    this.#ms = ms;
    this.#outer = outer;
    if (outer?.aborted) this.#abort();
    outer?.addEventListener("abort", this.#abort, { once: true });
    this.restart();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Counts from now: there was progress. */
  restart(): void {
    this.pause();
    if (this.#ended) return;
    this.#timer = setTimeout(() => {
      this.#expired = true;
      this.#abort();
    }, this.#ms);
  }

  /** Stops counting until `restart`, while the caller itself takes its time. */
  pause(): void {
    clearTimeout(this.#timer);
  }

  /** A TimeoutError in place of an error that this deadline caused; any other error as it is. */
  explain(error: unknown): unknown {
    const isAbort =
      error instanceof InterruptedError || (error instanceof Error && error.name === "AbortError");
    if (!isAbort || !this.#expired || this.#outer?.aborted) return error;
    return new TimeoutError(this.#ms, { cause: error });
  }

  end(): void {
    this.#ended = true;
    this.pause();
    this.#outer?.removeEventListener("abort", this.#abort);
  }
}

/**
 * Resolves with `work`, or throws TimeoutError after `ms` milliseconds and InterruptedError when `outer` aborts: at
 * once, even where the work ignores its signal.
 */
export async function withDeadline<T>(
  ms: number,
  outer: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  throwIfAborted(outer);
  const deadline = new Deadline(ms, outer);
  try {
    return await raceAbort(work(deadline.signal), deadline.signal);
  } catch (error) {
    throw deadline.explain(error);
  } finally {
    deadline.end();
  }
}
