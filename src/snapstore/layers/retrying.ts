import { Deadline } from "../../flow/deadline.js";
import { retry } from "../../flow/retry.js";
import { deadlineError } from "../http/failure.js";
import { StoreError } from "../errors.js";
import { hasContent } from "../object-checks.js";
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

/** Retries the calls of a store after retryable failures. No other part of the program does. */
export class RetryingStore extends StoreLayer implements SnapStore {
  readonly #policy: StoreRetryPolicy;

  constructor(store: SnapStore, policy: Partial<StoreRetryPolicy> = {}) {
    super(store);
    this.#policy = { ...STORE_RETRIES, ...policy };
  }

  put(key: string, bytes: Uint8Array, options: PutOptions = {}): Promise<void> {
    return this.#retry(options.signal, async (signal, failures) => {
      try {
        await this.store.put(key, bytes, { ...options, signal });
      } catch (error) {
        // An earlier attempt may have stored the object, and its response was lost.
        const exists = error instanceof StoreError && error.code === "STORE_EXISTS";
        if (!exists || failures === 0 || !(await hasContent(this.store, key, bytes, signal)))
          throw error;
      }
    });
  }

  async startUpload(key: string, options: UploadOptions): Promise<StoreUpload> {
    const upload = await this.#retry(options.signal, (signal) =>
      this.store.startUpload(key, { ...options, signal }),
    );
    return {
      part: (number, bytes, outer) =>
        this.#retry(outer, (signal) => upload.part(number, bytes, signal)),
      complete: (facts, outer) => this.#retry(outer, (signal) => upload.complete(facts, signal)),
      abort: () => upload.abort(),
    };
  }

  get(key: string, options: GetOptions = {}): AsyncIterable<Uint8Array> {
    return retryingRead(this.store, this.#policy, key, options);
  }

  head(key: string, signal?: AbortSignal): Promise<StoredObject | undefined> {
    return this.#retry(signal, (inner) => this.store.head(key, inner));
  }

  list(prefix: string, options: ListOptions = {}): Promise<ListPage> {
    return this.#retry(options.signal, (signal) => this.store.list(prefix, { ...options, signal }));
  }

  delete(key: string, signal?: AbortSignal): Promise<void> {
    return this.#retry(signal, (inner) => this.store.delete(key, inner));
  }

  async abortStaleUploads(
    prefix: string,
    olderThan: Date,
    options: StaleOptions = {},
  ): Promise<number> {
    return await this.#retry(options.signal, (signal) =>
      this.store.abortStaleUploads(prefix, olderThan, { ...options, signal }),
    );
  }

  async describe(signal?: AbortSignal): Promise<StoreFacts> {
    return await this.#retry(signal, async (inner) => (await this.store.describe?.(inner)) ?? {});
  }

  /** @param work gets the signal of this attempt, and the number of failed ones before it */
  async #retry<T>(
    outer: AbortSignal | undefined,
    work: (signal: AbortSignal, failures: number) => Promise<T>,
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
}
