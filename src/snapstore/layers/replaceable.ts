import type {
  GetOptions,
  ListOptions,
  ListPage,
  PutOptions,
  SnapStore,
  StaleOptions,
  StoreCapabilities,
  StoredObject,
  StoreFacts,
  StoreUpload,
  UploadOptions,
} from "../store.js";

/**
 * A store that can be opened again with other credentials while it is in use. Uploads and calls in progress stay with
 * the store that they began on.
 */
export class ReplaceableStore implements SnapStore {
  #store: SnapStore;

  constructor(store: SnapStore) {
    this.#store = store;
  }

  /** @param store of the same place. Returns the former one, for the caller to close. */
  replace(store: SnapStore): SnapStore {
    const former = this.#store;
    this.#store = store;
    return former;
  }

  get name(): string {
    return this.#store.name;
  }

  get place(): string {
    return this.#store.place;
  }

  get capabilities(): StoreCapabilities {
    return this.#store.capabilities;
  }

  put(key: string, bytes: Uint8Array, options?: PutOptions): Promise<void> {
    return this.#store.put(key, bytes, options);
  }

  startUpload(key: string, options: UploadOptions): Promise<StoreUpload> {
    return this.#store.startUpload(key, options);
  }

  get(key: string, options?: GetOptions): AsyncIterable<Uint8Array> {
    return this.#store.get(key, options);
  }

  head(key: string, signal?: AbortSignal): Promise<StoredObject | undefined> {
    return this.#store.head(key, signal);
  }

  list(prefix: string, options?: ListOptions): Promise<ListPage> {
    return this.#store.list(prefix, options);
  }

  delete(key: string, signal?: AbortSignal): Promise<void> {
    return this.#store.delete(key, signal);
  }

  abortStaleUploads(prefix: string, olderThan: Date, options?: StaleOptions): Promise<number> {
    return this.#store.abortStaleUploads(prefix, olderThan, options);
  }

  async describe(signal?: AbortSignal): Promise<StoreFacts> {
    return (await this.#store.describe?.(signal)) ?? {};
  }

  close(): Promise<void> {
    return this.#store.close();
  }
}
