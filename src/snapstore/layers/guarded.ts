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

/** Permits writes to a store, until it does not. */
export interface WriteGuard {
  /** Throws when this process must not write any more, as far as it knows by itself. Cheap. */
  check(): void;
  /** Asks where that is decided, and throws as {@link check} does. May answer from a moment ago. */
  confirm(signal: AbortSignal): Promise<void>;
}

/** Permits what all of the guards permit. */
export function everyGuard(...guards: readonly (WriteGuard | undefined)[]): WriteGuard {
  return {
    check: () => {
      for (const guard of guards) guard?.check();
    },
    confirm: async (signal) => {
      for (const guard of guards) await guard?.confirm(signal);
      // The first may have changed its mind while the others answered.
      for (const guard of guards) guard?.check();
    },
  };
}

/**
 * Asks a guard before each call that changes the store. Belongs below the layer that retries calls: each attempt asks.
 * An upload that was begun may always be aborted: it is this process's own.
 */
export class GuardedStore extends StoreLayer implements SnapStore {
  readonly #guard: WriteGuard;

  constructor(store: SnapStore, guard: WriteGuard) {
    super(store);
    this.#guard = guard;
  }

  async put(key: string, bytes: Uint8Array, options: PutOptions = {}): Promise<void> {
    await this.#confirm(options.signal);
    await this.store.put(key, bytes, options);
  }

  async startUpload(key: string, options: UploadOptions): Promise<StoreUpload> {
    await this.#confirm(options.signal);
    const upload = await this.store.startUpload(key, options);
    return {
      part: async (number, bytes, signal) => {
        this.#guard.check();
        await upload.part(number, bytes, signal);
      },
      complete: async (facts, signal) => {
        await this.#confirm(signal);
        await upload.complete(facts, signal);
      },
      abort: () => upload.abort(),
    };
  }

  get(key: string, options?: GetOptions): AsyncIterable<Uint8Array> {
    return this.store.get(key, options);
  }

  head(key: string, signal?: AbortSignal): Promise<StoredObject | undefined> {
    return this.store.head(key, signal);
  }

  list(prefix: string, options?: ListOptions): Promise<ListPage> {
    return this.store.list(prefix, options);
  }

  async delete(key: string, signal?: AbortSignal): Promise<void> {
    await this.#confirm(signal);
    await this.store.delete(key, signal);
  }

  async abortStaleUploads(
    prefix: string,
    olderThan: Date,
    options: StaleOptions = {},
  ): Promise<number> {
    await this.#confirm(options.signal);
    return await this.store.abortStaleUploads(prefix, olderThan, options);
  }

  async describe(signal?: AbortSignal): Promise<StoreFacts> {
    return (await this.store.describe?.(signal)) ?? {};
  }

  async #confirm(signal: AbortSignal | undefined): Promise<void> {
    await this.#guard.confirm(signal ?? NEVER);
    this.#guard.check();
  }
}

const NEVER = new AbortController().signal;
