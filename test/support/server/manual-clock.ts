import { setImmediate as turn } from "node:timers/promises";
import { InterruptedError } from "../../../src/errors.js";
import type { Clock } from "../../../src/flow/sleep.js";

interface Sleeper {
  readonly atMs: number;
  wake(): void;
}

/** Turns of the event loop after which nothing goes on without time. */
const TURNS = 16;

/** A clock that moves when a test says so. */
export class ManualClock implements Clock {
  #nowMs = 0;
  readonly #sleepers = new Set<Sleeper>();

  now(): number {
    return this.#nowMs;
  }

  sleep = async (ms: number, signal?: AbortSignal): Promise<void> => {
    if (signal?.aborted) throw new InterruptedError();
    await new Promise<void>((resolve, reject) => {
      const end = (): void => {
        this.#sleepers.delete(sleeper);
        signal?.removeEventListener("abort", abort);
      };
      const abort = (): void => {
        end();
        reject(new InterruptedError());
      };
      const sleeper = {
        atMs: this.#nowMs + ms,
        wake: () => {
          end();
          resolve();
        },
      };
      signal?.addEventListener("abort", abort, { once: true });
      this.#sleepers.add(sleeper);
    });
  };

  /** Wakes each sleeper at its time, and lets what it does go on before the next. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    for (;;) {
      await settle();
      const due = [...this.#sleepers]
        .filter(({ atMs }) => atMs <= endMs)
        .sort((a, b) => a.atMs - b.atMs)[0];
      if (due === undefined) break;
      this.#nowMs = Math.max(this.#nowMs, due.atMs);
      due.wake();
    }
    this.#nowMs = endMs;
  }
}

/** Lets what can go on without time do so. */
async function settle(): Promise<void> {
  for (let i = 0; i < TURNS; i++) await turn();
}
