import { throwIfAborted } from "../../errors.js";
import { Deadline } from "../../flow/deadline.js";
import { raceAbort } from "../../flow/race-abort.js";
import { deadlineError } from "../http/failure.js";

const TIMEOUT_MS = 120_000;

/** A call whose result is cached and shared. An aborted caller stops waiting; the shared call goes on. */
export class SharedCall<T> {
  readonly #store: string;
  readonly #call: (signal: AbortSignal) => Promise<T>;
  #pending: Promise<T> | undefined;

  constructor(store: string, call: (signal: AbortSignal) => Promise<T>) {
    this.#store = store;
    this.#call = call;
  }

  /** The running or finished call, for {@link forget}. */
  get pending(): Promise<T> | undefined {
    return this.#pending;
  }

  /** Makes the next caller start a new call, unless one has been started since `pending`. */
  forget(pending: Promise<T>): void {
    if (this.#pending === pending) this.#pending = undefined;
  }

  /** Throws InterruptedError once the signal aborts, or the error of the call. */
  async result(signal: AbortSignal | undefined): Promise<T> {
    throwIfAborted(signal);
    this.#pending ??= this.#start();
    return await raceAbort(this.#pending, signal);
  }

  #start(): Promise<T> {
    const deadline = new Deadline(TIMEOUT_MS, undefined);
    const pending = this.#call(deadline.signal)
      .catch((error) => {
        this.forget(pending);
        throw deadlineError(deadline, error, this.#store);
      })
      .finally(() => deadline.end());
    // All callers may have been aborted.
    pending.catch(() => {});
    return pending;
  }
}
