import { InterruptedError } from "../../errors.js";
import { StoreError } from "../errors.js";

/** A signal for one try: fires with the caller's, or when time is up. */
export class CallDeadline {
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal | undefined;
  readonly #ms: number;
  readonly #store: string;
  #timer: NodeJS.Timeout | undefined;
  #late = false;

  constructor(ms: number, store: string, outer: AbortSignal | undefined) {
    this.#ms = ms;
    this.#store = store;
    this.#outer = outer;
    if (outer?.aborted) this.#interrupt();
    outer?.addEventListener("abort", this.#interrupt, { once: true });
    this.restart();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The time begins again. */
  restart(): void {
    this.pause();
    this.#timer = setTimeout(() => {
      this.#late = true;
      this.#controller.abort();
    }, this.#ms);
  }

  /** Time that others take does not count. */
  pause(): void {
    clearTimeout(this.#timer);
  }

  /** STORE_TRANSIENT for an interruption that was this deadline's; else the error itself. */
  explain(error: unknown): unknown {
    if (!this.#late || this.#outer?.aborted || !(error instanceof InterruptedError)) return error;
    const message = `no answer within ${this.#ms / 1000} seconds`;
    return new StoreError("STORE_TRANSIENT", message, { store: this.#store, cause: error });
  }

  end(): void {
    this.pause();
    this.#outer?.removeEventListener("abort", this.#interrupt);
  }

  readonly #interrupt = () => this.#controller.abort();
}
