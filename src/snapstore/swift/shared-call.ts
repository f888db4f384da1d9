import { throwIfAborted } from "../../errors.js";
import { Deadline } from "../../flow/deadline.js";
import { raceAbort } from "../../flow/race-abort.js";
import { deadlineError } from "../http/failure.js";

/** Longest wait for an answer, milliseconds. */
const MOST_MS = 120_000;

/** One call for all who need its answer, which is kept: whoever gives up ends it for nobody else. */
export class SharedCall<T> {
  readonly #store: string;
  readonly #call: (signal: AbortSignal) => Promise<T>;
  #asked: Promise<T> | undefined;

  constructor(store: string, call: (signal: AbortSignal) => Promise<T>) {
    this.#store = store;
    this.#call = call;
  }

  /** Where the next answer comes from, for {@link forget}; undefined when nobody has asked. */
  get asked(): Promise<T> | undefined {
    return this.#asked;
  }

  /** Has the next caller ask anew, unless that has been done since `asked`. */
  forget(asked: Promise<T>): void {
    if (this.#asked === asked) this.#asked = undefined;
  }

  /** Throws InterruptedError once the signal has fired, or what the call threw. */
  async answer(signal: AbortSignal | undefined): Promise<T> {
    throwIfAborted(signal);
    this.#asked ??= this.#ask();
    return await raceAbort(this.#asked, signal);
  }

  #ask(): Promise<T> {
    const deadline = new Deadline(MOST_MS, undefined);
    const asked = this.#call(deadline.signal)
      .catch((error) => {
        this.forget(asked);
        throw deadlineError(deadline, error, this.#store);
      })
      .finally(() => deadline.end());
    // All who waited may have given up.
    asked.catch(() => {});
    return asked;
  }
}
