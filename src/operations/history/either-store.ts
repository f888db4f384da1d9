import { InterruptedError } from "../../errors.js";
import { StoreError } from "../../snapstore/errors.js";
import type {
  GetOptions,
  ListOptions,
  ListPage,
  SnapStore,
  StoredObject,
  StoreUpload,
} from "../../snapstore/store.js";

/**
 * What two copies of the same backups hold together, for reading: an object of either, of the first where both have it. A
 * store that fails is reported once for each kind of failure, and the other one serves.
 */
export class EitherStore implements SnapStore {
  readonly name: string;
  readonly place: string;
  readonly capabilities: SnapStore["capabilities"];
  readonly #stores: readonly SnapStore[];
  readonly #onFailure: (error: StoreError) => void;
  readonly #reported = new Set<string>();

  constructor(stores: readonly [SnapStore, SnapStore], onFailure: (error: StoreError) => void) {
    this.name = stores.map(({ name }) => name).join(" or ");
    this.place = stores.map(({ place }) => place).join(" or ");
    this.capabilities = stores[0].capabilities;
    this.#stores = stores;
    this.#onFailure = onFailure;
  }

  async *get(key: string, options: GetOptions = {}): AsyncGenerator<Uint8Array> {
    let failure: unknown;
    for (const [i, store] of this.#stores.entries()) {
      let begun = false;
      try {
        // Tags are those of the first store that has the object; what is read is authenticated.
        const ifTag = i === 0 ? options.ifTag : undefined;
        for await (const bytes of store.get(key, { ...options, ifTag })) {
          begun = true;
          yield bytes;
        }
        return;
      } catch (error) {
        // A caller that has some of the bytes cannot take others.
        if (begun || !(error instanceof StoreError)) throw error;
        this.#failed(error);
        failure ??= error;
      }
    }
    throw failure;
  }

  async head(key: string, signal?: AbortSignal): Promise<StoredObject | undefined> {
    for await (const object of this.#eachAnswer((store) => store.head(key, signal))) {
      if (object !== undefined) return object;
    }
    return undefined;
  }

  /** All pages of both in one: what a backup is made of is bounded where it is listed. */
  async list(prefix: string, options: ListOptions = {}): Promise<ListPage> {
    const objects = new Map<string, StoredObject>();
    const folders = new Set<string>();
    for await (const page of this.#eachAnswer((store) => listAll(store, prefix, options))) {
      for (const object of page.objects) {
        if (!objects.has(object.key)) objects.set(object.key, object);
      }
      for (const folder of page.folders) folders.add(folder);
    }
    return {
      objects: [...objects.values()].sort((a, b) => byBytes(a.key, b.key)),
      folders: [...folders].sort(byBytes),
    };
  }

  put(): Promise<void> {
    return Promise.reject(this.#readOnly());
  }

  startUpload(): Promise<StoreUpload> {
    return Promise.reject(this.#readOnly());
  }

  delete(): Promise<void> {
    return Promise.reject(this.#readOnly());
  }

  abortStaleUploads(): Promise<number> {
    return Promise.reject(this.#readOnly());
  }

  /** The stores are those of the caller. */
  async close(): Promise<void> {}

  /** The answers of the stores in turn. Throws the first failure where all fail. */
  async *#eachAnswer<T>(call: (store: SnapStore) => Promise<T>): AsyncGenerator<T> {
    const failures: StoreError[] = [];
    for (const store of this.#stores) {
      let answer: T;
      try {
        answer = await call(store);
      } catch (error) {
        if (error instanceof InterruptedError || !(error instanceof StoreError)) throw error;
        this.#failed(error);
        failures.push(error);
        continue;
      }
      yield answer;
    }
    if (failures.length === this.#stores.length) throw failures[0];
  }

  #failed(error: StoreError): void {
    const kind = `${error.store} ${error.code}`;
    if (error.code === "STORE_NOT_FOUND" || this.#reported.has(kind)) return;
    this.#reported.add(kind);
    this.#onFailure(error);
  }

  #readOnly(): StoreError {
    return new StoreError("STORE_IMMUTABLE", "it is open for reading", { store: this.name });
  }
}

async function listAll(store: SnapStore, prefix: string, options: ListOptions): Promise<ListPage> {
  const objects: StoredObject[] = [];
  const folders: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await store.list(prefix, { ...options, limit: undefined, cursor });
    objects.push(...page.objects);
    folders.push(...page.folders);
    cursor = page.next;
  } while (cursor !== undefined);
  return { objects, folders };
}

function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
