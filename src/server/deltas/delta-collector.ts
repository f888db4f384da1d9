import { raceAbort } from "../../flow/race-abort.js";
import { type Clock, systemClock } from "../../flow/sleep.js";
import { Waiters } from "../../flow/waiters.js";
import type { EtcdRevision } from "../../sources/etcd/history.js";
import { RevisionBuffer } from "./revision-buffer.js";

/** When revisions that were collected become a delta. Read at each use: they can be reloaded. */
export interface DeltaLimits {
  /** Longest time from the first of them, ms. */
  readonly periodMs: number;
  /** About the largest size of a delta. */
  readonly bytes: number;
}

interface CollectorParts {
  limits(): DeltaLimits;
  /** Makes a delta. Resolves when there is room for the next. */
  write(revisions: readonly EtcdRevision[]): Promise<void>;
  readonly clock?: Clock | undefined;
}

/**
 * Collects what a watch hands over, and writes it as deltas by time and by size, in order and one at a time. While a
 * delta cannot be written, it takes as much again, and then makes the watch wait. The first failure is final.
 */
export class DeltaCollector {
  readonly #parts: CollectorParts;
  readonly #clock: Clock;
  readonly #buffer: RevisionBuffer;
  readonly #changed = new Waiters();
  /** Aborts with the first failure. */
  readonly #failed = new AbortController();
  #failure: { readonly error: unknown } | undefined;
  #writing: Promise<void> = Promise.resolve();
  #waiting = 0;

  /** @param after the last revision before those that will come */
  constructor(after: number, parts: CollectorParts) {
    this.#parts = parts;
    this.#clock = parts.clock ?? systemClock;
    this.#buffer = new RevisionBuffer(after);
  }

  /** The last revision that was taken from the watch. */
  get last(): number {
    return this.#buffer.last;
  }

  /** Whether the watch waits for deltas to be written. */
  get isPaused(): boolean {
    return this.#waiting > 0;
  }

  /** Takes revisions. Resolves when more may come. */
  async revisions(batch: readonly EtcdRevision[]): Promise<void> {
    this.#throwFailure();
    try {
      this.#buffer.add(batch, this.#clock.now());
    } catch (error) {
      throw this.#fail(error);
    }
    this.#changed.wakeAll();
    if (this.#buffer.bytes < this.#parts.limits().bytes) return;
    this.#waiting++;
    try {
      await this.flush();
    } finally {
      this.#waiting--;
    }
  }

  /** Writes what has been taken so far. */
  flush(): Promise<void> {
    const upTo = this.#buffer.last;
    this.#writing = this.#writing.then(() => this.#write(upTo));
    // A failure that no caller awaits is thrown by `run`.
    this.#writing.catch(() => {});
    return this.#writing;
  }

  /** Writes deltas when they are due. Throws InterruptedError once the signal has aborted, or the first failure. */
  async run(signal: AbortSignal): Promise<never> {
    const ended = AbortSignal.any([signal, this.#failed.signal]);
    for (;;) {
      try {
        const { sinceMs } = this.#buffer;
        if (sinceMs === undefined) {
          await raceAbort(this.#changed.wait(), ended);
          continue;
        }
        const waitMs = sinceMs + this.#parts.limits().periodMs - this.#clock.now();
        if (waitMs > 0) await this.#clock.sleep(waitMs, ended);
        else await raceAbort(this.flush(), ended);
      } catch (error) {
        this.#throwFailure();
        throw error;
      }
    }
  }

  async #write(upTo: number): Promise<void> {
    this.#throwFailure();
    try {
      while ((this.#buffer.first ?? Number.POSITIVE_INFINITY) <= upTo) {
        await this.#parts.write(this.#buffer.take(this.#parts.limits().bytes));
      }
    } catch (error) {
      throw this.#fail(error);
    }
  }

  #fail(error: unknown): unknown {
    this.#failure ??= { error };
    this.#failed.abort();
    return error;
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
