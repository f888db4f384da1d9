import { BackupToolError, InterruptedError, NotLeaderError } from "../../errors.js";
import { type Clock, systemClock } from "../../flow/sleep.js";
import type { StoredStream } from "../../snapshots/streams/stored-stream.js";
import { StoreError } from "../../snapstore/errors.js";
import type { Site as SiteName } from "../status.js";
import type { Outbox, SealedDelta } from "./outbox.js";

/** Waits after failures, ms. The store's own retries come before. */
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 30_000;
/** Before another copy of a stream that no store is to blame for, ms. */
const BAD_STREAM_WAIT_MS = 10 * 60_000;

/** A store as deltas need it. */
export interface DeltaSite {
  readonly name: SiteName;
  /** Stores a delta. Resolves when the store has it. */
  put(delta: SealedDelta, signal: AbortSignal): Promise<void>;
  /** Copies from another site what this one lacks of a stream. Resolves with what it has of it then; undefined: nothing. */
  copyStream(
    stream: string,
    from: SiteName,
    signal: AbortSignal,
  ): Promise<StoredStream | undefined>;
}

export interface SenderEvents {
  /** A put has returned. */
  stored(site: SiteName, delta: SealedDelta): void;
  /** @param held what the site has of it then */
  copied(site: SiteName, stream: string, held: StoredStream | undefined): void;
  /** It is tried again. */
  failed(site: SiteName, error: unknown): void;
}

/**
 * Sends the deltas of an outbox to one site until the signal aborts, in their order; what was dropped from the outbox is
 * copied from the other site meanwhile. Throws InterruptedError, NotLeaderError.
 */
export class SiteSender {
  readonly #site: DeltaSite;
  readonly #other: SiteName | undefined;
  readonly #outbox: Outbox;
  readonly #events: SenderEvents;
  readonly #clock: Clock;

  /** @param other the site that what is lacking is copied from */
  constructor(
    site: DeltaSite,
    other: SiteName | undefined,
    outbox: Outbox,
    events: SenderEvents,
    clock = systemClock,
  ) {
    this.#site = site;
    this.#other = other;
    this.#outbox = outbox;
    this.#events = events;
    this.#clock = clock;
  }

  /** Rejects in any case. */
  async run(signal: AbortSignal): Promise<never> {
    const ended = new AbortController();
    const both = AbortSignal.any([signal, ended.signal]);
    const loops = [this.#sendAll(both), this.#catchUp(both)];
    try {
      return await Promise.race(loops);
    } finally {
      ended.abort();
      await Promise.allSettled(loops);
    }
  }

  async #sendAll(signal: AbortSignal): Promise<never> {
    for (;;) {
      const delta = await this.#outbox.next(this.#site.name, signal);
      await this.#untilDone(signal, () => this.#site.put(delta, signal));
      this.#events.stored(this.#site.name, delta);
      this.#outbox.stored(this.#site.name, delta);
    }
  }

  /** One try for each stream in turn: one that cannot be copied does not keep the others from it. */
  async #catchUp(signal: AbortSignal): Promise<never> {
    const { name } = this.#site;
    const retries = new Map<string, { readonly failures: number; readonly dueMs: number }>();
    for (;;) {
      const lacking = await this.#outbox.lacking(name, signal);
      const dueMs = (stream: string): number => retries.get(stream)?.dueMs ?? 0;
      const stream = lacking.find((one) => dueMs(one) <= this.#clock.now());
      if (stream === undefined || this.#other === undefined) {
        const waitMs = Math.min(...lacking.map(dueMs)) - this.#clock.now();
        // Others may be lacking before.
        await this.#clock.sleep(Math.min(LONGEST_WAIT_MS, Math.max(FIRST_WAIT_MS, waitMs)), signal);
        continue;
      }
      try {
        await this.#copy(stream, this.#other, signal);
        retries.delete(stream);
      } catch (error) {
        if (error instanceof NotLeaderError) throw error;
        if (signal.aborted) throw new InterruptedError();
        const failures = (retries.get(stream)?.failures ?? 0) + 1;
        retries.set(stream, { failures, dueMs: this.#clock.now() + retryMs(error, failures) });
        this.#events.failed(name, error);
      }
    }
  }

  async #copy(stream: string, from: SiteName, signal: AbortSignal): Promise<void> {
    const { name } = this.#site;
    // What is dropped while the copy runs needs another one.
    this.#outbox.takeLack(name, stream);
    try {
      this.#events.copied(name, stream, await this.#site.copyStream(stream, from, signal));
    } catch (error) {
      // Deleted there meanwhile, as by retention: nothing is left to copy.
      if (error instanceof BackupToolError && error.code === "NO_SNAPSHOT") return;
      this.#outbox.lack(name, stream);
      throw error;
    }
  }

  async #untilDone(signal: AbortSignal, work: () => Promise<void>): Promise<void> {
    for (let failures = 0; ; failures++) {
      try {
        await work();
        return;
      } catch (error) {
        await this.#failed(error, failures, signal);
      }
    }
  }

  /** Waits before another try. Throws where there is none. */
  async #failed(error: unknown, failures: number, signal: AbortSignal): Promise<void> {
    if (error instanceof NotLeaderError) throw error;
    if (signal.aborted) throw new InterruptedError();
    this.#events.failed(this.#site.name, error);
    await this.#clock.sleep(Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** failures), signal);
  }
}

/** A store that is down may be back soon. Another content of a stream at the two sites waits for a person. */
function retryMs(error: unknown, failures: number): number {
  const isOfStream =
    error instanceof BackupToolError &&
    !(error instanceof StoreError) &&
    error.code !== "BREAKER_OPEN";
  if (isOfStream) return BAD_STREAM_WAIT_MS;
  return Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (failures - 1));
}
