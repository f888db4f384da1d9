import { setMaxListeners } from "node:events";
import { ExitCode } from "../exit-codes.js";
import { endAfterSignals, endProcess } from "./end.js";

/** How long an operation may take to stop before the process ends anyway, ms. */
const STOP_WITHIN_MS = 10_000;
/** How long after that, or after a second signal, the process ends even if a thread blocks, ms. */
const END_WITHIN_MS = 3000;

/** The signals that stop the process. */
export class Signals {
  readonly #stop = new AbortController();
  #stopWithinMs = STOP_WITHIN_MS;
  #onHangup: (() => void) | undefined;

  constructor() {
    // Each running operation adds a listener.
    setMaxListeners(0, this.#stop.signal);
    for (const name of ["SIGINT", "SIGTERM"] as const) process.on(name, () => this.#arrived());
    process.on("SIGHUP", () => (this.#onHangup ?? (() => this.#arrived()))());
  }

  /** Aborts at the first signal. */
  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  /** Stops as a signal does. */
  stop(): void {
    this.#stop.abort();
  }

  /** For a command that ends: the listeners above do not run while the main thread is blocked. */
  endInTime(): void {
    const names = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
    endAfterSignals(names, STOP_WITHIN_MS + END_WITHIN_MS, END_WITHIN_MS, ExitCode.interrupted);
  }

  /** For a server: SIGHUP calls `onHangup`, and the process may take `graceMs` to stop. */
  serve(graceMs: number, onHangup: () => void): void {
    this.#onHangup = onHangup;
    this.#stopWithinMs = graceMs;
    const limit = graceMs + END_WITHIN_MS;
    endAfterSignals(["SIGINT", "SIGTERM"], limit, END_WITHIN_MS, ExitCode.interrupted);
  }

  #arrived(): void {
    // A second signal ends the process at once.
    if (this.#stop.signal.aborted) endProcess(ExitCode.interrupted);
    this.#stop.abort();
    setTimeout(() => endProcess(ExitCode.interrupted), this.#stopWithinMs).unref();
  }
}
