/**
 * A signal for one call, which fires with the caller's or when nothing has moved for `idleMs`
 * milliseconds. `end` must be called.
 */
export class IdleWatch {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;
  readonly #outer: AbortSignal | undefined;
  readonly #idleMs: number;
  readonly #pass = () => this.#controller.abort();
  #late = false;

  constructor(idleMs: number, signal: AbortSignal | undefined) {
    this.#idleMs = idleMs;
    this.#outer = signal;
    this.#timer = setTimeout(() => {
      this.#late = true;
      this.#controller.abort();
    }, idleMs);
    if (signal?.aborted) this.#pass();
    signal?.addEventListener("abort", this.#pass, { once: true });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Bytes went or came. */
  moved(): void {
    this.#timer.refresh();
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#outer?.removeEventListener("abort", this.#pass);
  }

  /** What to report instead of the abort that it caused. */
  reasonOf(error: unknown): unknown {
    if (!this.#late) return error;
    const message = `no answer within ${this.#idleMs / 1000} seconds`;
    return Object.assign(new Error(message, { cause: error }), { code: "ETIMEDOUT" });
  }
}
