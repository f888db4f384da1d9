import { StoreLayer } from "../../snapstore/layers/layer.js";
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
} from "../../snapstore/store.js";

/**
 * Remembers which errors its calls have thrown. The name in an error does not tell two stores apart that have the same
 * bucket at two servers.
 */
export class FailingStore extends StoreLayer implements SnapStore {
  readonly #thrown = new WeakSet<object>();

  /** Whether the error, or a cause of it, comes from a call of this store. */
  hasThrown(error: unknown): boolean {
    for (let at = error; at instanceof Error; at = at.cause) if (this.#thrown.has(at)) return true;
    return false;
  }

  put(key: string, bytes: Uint8Array, options?: PutOptions): Promise<void> {
    return this.#watch(this.store.put(key, bytes, options));
  }

  async startUpload(key: string, options: UploadOptions): Promise<StoreUpload> {
    const upload = await this.#watch(this.store.startUpload(key, options));
    return {
      part: (number, bytes, signal) => this.#watch(upload.part(number, bytes, signal)),
      complete: (facts, signal) => this.#watch(upload.complete(facts, signal)),
      abort: () => upload.abort(),
    };
  }

  async *get(key: string, options?: GetOptions): AsyncGenerator<Uint8Array, void, void> {
    try {
      yield* this.store.get(key, options);
    } catch (error) {
      throw this.#note(error);
    }
  }

  head(key: string, signal?: AbortSignal): Promise<StoredObject | undefined> {
    return this.#watch(this.store.head(key, signal));
  }

  list(prefix: string, options?: ListOptions): Promise<ListPage> {
    return this.#watch(this.store.list(prefix, options));
  }

  delete(key: string, signal?: AbortSignal): Promise<void> {
    return this.#watch(this.store.delete(key, signal));
  }

  abortStaleUploads(prefix: string, olderThan: Date, options?: StaleOptions): Promise<number> {
    return this.#watch(this.store.abortStaleUploads(prefix, olderThan, options));
  }

  async describe(signal?: AbortSignal): Promise<StoreFacts> {
    return await this.#watch(this.store.describe?.(signal) ?? Promise.resolve({}));
  }

  async #watch<T>(call: Promise<T>): Promise<T> {
    try {
      return await call;
    } catch (error) {
      throw this.#note(error);
    }
  }

  #note(error: unknown): unknown {
    if (error instanceof Error) this.#thrown.add(error);
    return error;
  }
}
