import { createHash } from "node:crypto";
import { StoreError } from "../../../src/snapstore/errors.js";
import type {
  GetOptions,
  ListOptions,
  ListPage,
  PutOptions,
  SnapStore,
  StoredObject,
  StoreUpload,
} from "../../../src/snapstore/store.js";

export interface PausedStoreOptions {
  /** Whether `ifAbsent` is atomic; otherwise the store looks first, and overwrites. */
  readonly atomicIfAbsent: boolean;
  /** Awaited before each effect and before each answer. */
  readonly step: (label: string) => Promise<void>;
  /** Whether the answer to this write is lost at once; its effect comes later. */
  readonly losesAnswer: (label: string) => boolean;
  /** Called after each effect. */
  readonly onChange: (label: string) => void;
  /** Milliseconds. */
  readonly now: () => number;
}

/** A store in memory, each of whose calls can be delayed before its effect and before its answer. */
export class PausedStore implements SnapStore {
  readonly name = "memory";
  readonly place = "memory";
  readonly capabilities: SnapStore["capabilities"];
  readonly objects = new Map<string, { bytes: Buffer; modified: Date }>();
  readonly #options: PausedStoreOptions;

  constructor(options: PausedStoreOptions) {
    this.#options = options;
    const { atomicIfAbsent } = options;
    this.capabilities = {
      parallelParts: true,
      atomicIfAbsent,
      minPartBytes: 1,
      maxPartBytes: 2 ** 30,
      maxParts: 1000,
      locks: "never",
    };
  }

  async put(key: string, bytes: Uint8Array, { ifAbsent = false }: PutOptions = {}): Promise<void> {
    const { atomicIfAbsent, now } = this.#options;
    const rejectExisting = (): void => {
      if (ifAbsent && this.objects.has(key)) throw failure("STORE_EXISTS", `${key}: exists`);
    };
    if (!atomicIfAbsent) await this.#answer(`look ${key}`, rejectExisting);
    const object = { bytes: Buffer.from(bytes), modified: new Date(now()) };
    await this.#write(`put ${key}`, () => {
      if (atomicIfAbsent) rejectExisting();
      this.objects.set(key, object);
    });
  }

  async delete(key: string): Promise<void> {
    await this.#write(`delete ${key}`, () => void this.objects.delete(key));
  }

  async *get(key: string, { offset = 0, length }: GetOptions = {}): AsyncGenerator<Uint8Array> {
    yield await this.#answer(`get ${key}`, () => {
      const found = this.objects.get(key);
      if (found === undefined) throw failure("STORE_NOT_FOUND", `${key}: not found`);
      return found.bytes.subarray(offset, length === undefined ? undefined : offset + length);
    });
  }

  head(key: string): Promise<StoredObject | undefined> {
    return this.#answer(`head ${key}`, () => this.#stored(key));
  }

  list(prefix: string, { shallow = false, limit = 1000 }: ListOptions = {}): Promise<ListPage> {
    return this.#answer(`list ${prefix}`, () => {
      const objects: StoredObject[] = [];
      const folders = new Set<string>();
      for (const key of [...this.objects.keys()].sort()) {
        if (!key.startsWith(prefix) || objects.length + folders.size === limit) continue;
        const end = key.indexOf("/", prefix.length);
        const object = this.#stored(key);
        if (shallow && end >= 0) folders.add(key.slice(0, end + 1));
        else if (object !== undefined) objects.push(object);
      }
      return { objects, folders: [...folders] };
    });
  }

  startUpload(): Promise<StoreUpload> {
    return Promise.reject(failure("STORE_FAILED", "no uploads in parts"));
  }

  async abortStaleUploads(): Promise<number> {
    return 0;
  }

  async close(): Promise<void> {}

  #stored(key: string): StoredObject | undefined {
    const found = this.objects.get(key);
    if (found === undefined) return undefined;
    const tag = createHash("md5").update(found.bytes).digest("hex");
    return { key, size: found.bytes.length, modified: found.modified, tag };
  }

  async #answer<T>(label: string, effect: () => T): Promise<T> {
    const { step } = this.#options;
    await step(label);
    const result = effect();
    await step(`answer ${label}`);
    return result;
  }

  async #write(label: string, effect: () => void): Promise<void> {
    const { step, losesAnswer, onChange } = this.#options;
    const change = async (): Promise<void> => {
      await step(label);
      effect();
      onChange(label);
    };
    if (losesAnswer(label)) {
      change().catch(() => {});
      await step(`no answer ${label}`);
      throw failure("STORE_TRANSIENT", `${label}: no answer`);
    }
    await change();
    await step(`answer ${label}`);
  }
}

function failure(code: StoreError["code"], message: string): StoreError {
  return new StoreError(code, message, { store: "memory" });
}
