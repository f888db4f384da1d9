import { Deadline } from "../../flow/deadline.js";
import { retry } from "../../flow/retry.js";
import { deadlineError } from "../http/failure.js";
import { StoreError } from "../errors.js";
import { StoreLayer } from "./layer.js";
import { STORE_RETRIES, type StoreRetryPolicy } from "./retry-policy.js";
import { retryingRead } from "./retrying-read.js";
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

/** Repeats each call of a store that fails in a way that may pass. It is the one place that does. */
export class RetryingStore extends StoreLayer implements SnapStore {
  readonly #policy: StoreRetryPolicy;

  constructor(store: SnapStore, policy: Partial<StoreRetryPolicy> = {}) {
    super(store);
    this.#policy = { ...STORE_RETRIES, ...policy };
  }

  put(key: string, bytes: Uint8Array, options: PutOptions = {}): Promise<void> {
    return this.#trying(options.signal, async (signal, tries) => {
      try {
        await this.store.put(key, bytes, { ...options, signal });
      } catch (error) {
        // The object may be our own, from a try whose answer was lost.
        const exists = error instanceof StoreError && error.code === "STORE_EXISTS";
        if (!exists || tries === 0 || !(await this.#holds(key, bytes, signal))) throw error;
      }
    });
  }

  async startUpload(key: string, options: UploadOptions): Promise<StoreUpload> {
    const upload = await this.#trying(options.signal, (signal) =>
      this.store.startUpload(key, { ...options, signal }),
    );
    return {
      part: (number, bytes, outer) =>
        this.#trying(outer, (signal) => upload.part(number, bytes, signal)),
      complete: (facts, outer) => this.#trying(outer, (signal) => upload.complete(facts, signal)),
      abort: () => upload.abort(),
    };
  }

  /** Continues after the last byte when a read breaks off. */
  get(key: string, options: GetOptions = {}): AsyncIterable<Uint8Array> {
    return retryingRead(this.store, this.#policy, key, options);
  }

  head(key: string, signal?: AbortSignal): Promise<StoredObject | undefined> {
    return this.#trying(signal, (inner) => this.store.head(key, inner));
  }

  list(prefix: string, options: ListOptions = {}): Promise<ListPage> {
    return this.#trying(options.signal, (signal) =>
      this.store.list(prefix, { ...options, signal }),
    );
  }

  delete(key: string, signal?: AbortSignal): Promise<void> {
    return this.#trying(signal, (inner) => this.store.delete(key, inner));
  }

  async abortStaleUploads(
    prefix: string,
    olderThan: Date,
    options: StaleOptions = {},
  ): Promise<number> {
    return await this.#trying(options.signal, (signal) =>
      this.store.abortStaleUploads(prefix, olderThan, { ...options, signal }),
    );
  }

  async describe(signal?: AbortSignal): Promise<StoreFacts> {
    return await this.#trying(signal, async (inner) => (await this.store.describe?.(inner)) ?? {});
  }

  /** @param work gets a signal for this try, and how many failed before it */
  async #trying<T>(
    outer: AbortSignal | undefined,
    work: (signal: AbortSignal, tries: number) => Promise<T>,
  ): Promise<T> {
    return await retry(this.#policy, outer, async (failures) => {
      const deadline = new Deadline(this.#policy.callMs, outer);
      try {
        return await work(deadline.signal, failures);
      } catch (error) {
        throw deadlineError(deadline, error, this.name);
      } finally {
        deadline.end();
      }
    });
  }

  async #holds(key: string, bytes: Uint8Array, signal: AbortSignal): Promise<boolean> {
    let at = 0;
    for await (const piece of this.store.get(key, { signal })) {
      if (Buffer.compare(piece, bytes.subarray(at, at + piece.length)) !== 0) return false;
      at += piece.length;
    }
    return at === bytes.length;
  }
}
