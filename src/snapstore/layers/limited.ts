import { Budget } from "../../flow/budget.js";
import { type Clock, systemClock } from "../../flow/sleep.js";
import { StoreLayer } from "./layer.js";
import type {
  GetOptions,
  ListOptions,
  ListPage,
  PutOptions,
  SnapStore,
  StaleOptions,
  StoredObject,
  StoreFacts,
  StoreUpload,
  UploadOptions,
} from "../store.js";

export interface StoreLimits {
  /** Maximum of concurrent calls. A read counts until its last byte is consumed. */
  readonly calls: number;
  /** Of both directions together; unlimited by default. */
  readonly bytesPerSecond?: number | undefined;
}

/** Limits the concurrent calls and the bandwidth of a store. */
export class LimitedStore extends StoreLayer implements SnapStore {
  readonly #calls: Budget;
  readonly #pace: Pace;

  constructor(store: SnapStore, limits: StoreLimits, clock: Clock = systemClock) {
    super(store);
    this.#calls = new Budget(limits.calls);
    this.#pace = new Pace(limits.bytesPerSecond, clock);
  }

  put(key: string, bytes: Uint8Array, options: PutOptions = {}): Promise<void> {
    return this.#limited(options.signal, async () => {
      await this.#pace.take(bytes.length, options.signal);
      await this.store.put(key, bytes, options);
    });
  }

  async startUpload(key: string, options: UploadOptions): Promise<StoreUpload> {
    const upload = await this.#limited(options.signal, () => this.store.startUpload(key, options));
    return {
      part: (number, bytes, signal) =>
        this.#limited(signal, async () => {
          await this.#pace.take(bytes.length, signal);
          await upload.part(number, bytes, signal);
        }),
      complete: (facts, signal) => this.#limited(signal, () => upload.complete(facts, signal)),
      abort: () => upload.abort(),
    };
  }

  async *get(key: string, options: GetOptions = {}): AsyncGenerator<Uint8Array, void, void> {
    await this.#calls.take(1, options.signal);
    try {
      for await (const piece of this.store.get(key, options)) {
        await this.#pace.take(piece.length, options.signal);
        yield piece;
      }
    } finally {
      this.#calls.giveBack(1);
    }
  }

  head(key: string, signal?: AbortSignal): Promise<StoredObject | undefined> {
    return this.#limited(signal, () => this.store.head(key, signal));
  }

  list(prefix: string, options: ListOptions = {}): Promise<ListPage> {
    return this.#limited(options.signal, () => this.store.list(prefix, options));
  }

  delete(key: string, signal?: AbortSignal): Promise<void> {
    return this.#limited(signal, () => this.store.delete(key, signal));
  }

  abortStaleUploads(prefix: string, olderThan: Date, options?: StaleOptions): Promise<number> {
    return this.#limited(options?.signal, () =>
      this.store.abortStaleUploads(prefix, olderThan, options),
    );
  }

  async describe(signal?: AbortSignal): Promise<StoreFacts> {
    return await this.#limited(signal, async () => (await this.store.describe?.(signal)) ?? {});
  }

  async #limited<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    await this.#calls.take(1, signal);
    try {
      return await work();
    } finally {
      this.#calls.giveBack(1);
    }
  }
}

/** Delays each transfer until the transfers before it have used up their time. */
class Pace {
  readonly #bytesPerSecond: number | undefined;
  readonly #clock: Clock;
  #free = 0;

  constructor(bytesPerSecond: number | undefined, clock: Clock) {
    this.#bytesPerSecond = bytesPerSecond;
    this.#clock = clock;
  }

  async take(bytes: number, signal: AbortSignal | undefined): Promise<void> {
    if (this.#bytesPerSecond === undefined) return;
    const now = this.#clock.now();
    const start = Math.max(now, this.#free);
    this.#free = start + (bytes / this.#bytesPerSecond) * 1000;
    if (start > now) await this.#clock.sleep(start - now, signal);
  }
}
