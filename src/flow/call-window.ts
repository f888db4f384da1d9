import { Waiters } from "./waiters.js";

/**
 * A window of calls in flight. The first failure wins: every method but `settled` throws it from then on, and no call
 * is left with an unhandled rejection.
 */
export class CallWindow {
  readonly #isFull: (calls: number) => boolean;
  readonly #changed = new Waiters();
  #calls = 0;
  #failure: { readonly error: unknown } | undefined;

  /** @param limit most calls at once, or whether a window with so many calls is full (of bytes, say) */
  constructor(limit: number | ((calls: number) => boolean)) {
    this.#isFull = typeof limit === "number" ? (calls) => calls >= limit : limit;
  }

  /** Resolves when there is room for another call. */
  async room(): Promise<void> {
    while (this.#mustWait) await this.#changed.wait();
    this.throwFailure();
  }

  /** Starts the call when there is room for it; resolves once it is started. */
  async add(call: () => Promise<void>): Promise<void> {
    // The check and the start are one step, so that several callers never exceed the limit.
    while (this.#mustWait) await this.#changed.wait();
    this.throwFailure();
    this.start(call);
  }

  /** Starts the call now, even beyond the limit. */
  start(call: () => Promise<void>): void {
    this.#calls++;
    void this.#track(call);
  }

  /** Resolves when no call is in flight. Never throws. */
  async settled(): Promise<void> {
    while (this.#calls > 0) await this.#changed.wait();
  }

  /** Resolves when every call has succeeded. Waits for all calls also when one fails. */
  async drain(): Promise<void> {
    await this.settled();
    this.throwFailure();
  }

  /** Fails the window for a reason outside of its calls, such as an abort. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#changed.wakeAll();
  }

  throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  get #mustWait(): boolean {
    return this.#calls > 0 && this.#failure === undefined && this.#isFull(this.#calls);
  }

  async #track(call: () => Promise<void>): Promise<void> {
    try {
      await call();
    } catch (error) {
      this.#failure ??= { error };
    } finally {
      this.#calls--;
      this.#changed.wakeAll();
    }
  }
}
