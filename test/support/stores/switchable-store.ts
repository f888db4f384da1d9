import type {
  GetOptions,
  PutOptions,
  SnapStore,
  StoredObject,
  UploadOptions,
} from "../../../src/snapstore/store.js";

type Call = "put" | "startUpload" | "part" | "complete" | "get" | "head" | "list" | "delete";

/** A store that counts its calls, and fails on demand. */
export class SwitchableStore implements SnapStore {
  readonly name: string;
  readonly place: string;
  capabilities: SnapStore["capabilities"];
  readonly calls: { call: Call; key: string }[] = [];
  readonly #inner: SnapStore;
  /** Throws to make a call fail before it reaches the store. */
  before: (call: Call, key: string) => void | Promise<void> = () => {};
  /** Changes the pieces of reads. */
  spoil: (key: string, piece: Uint8Array) => Uint8Array = (_, piece) => piece;
  /** How far its clock is ahead of this machine's, ms. */
  clockAheadMs = 0;

  constructor(inner: SnapStore) {
    this.#inner = inner;
    this.name = inner.name;
    this.place = inner.place;
    this.capabilities = inner.capabilities;
  }

  keysOf(call: Call): string[] {
    return this.calls.filter((one) => one.call === call).map(({ key }) => key);
  }

  async put(key: string, bytes: Uint8Array, options?: PutOptions): Promise<void> {
    await this.#note("put", key);
    await this.#inner.put(key, bytes, options);
  }

  async startUpload(key: string, options: UploadOptions) {
    await this.#note("startUpload", key);
    const upload = await this.#inner.startUpload(key, options);
    return {
      part: async (...args: Parameters<typeof upload.part>) => {
        await this.#note("part", key);
        await upload.part(...args);
      },
      complete: async (...args: Parameters<typeof upload.complete>) => {
        await this.#note("complete", key);
        await upload.complete(...args);
      },
      abort: () => upload.abort(),
    };
  }

  async *get(key: string, options?: GetOptions): AsyncGenerator<Uint8Array> {
    await this.#note("get", key);
    for await (const piece of this.#inner.get(key, options)) yield this.spoil(key, piece);
  }

  async head(key: string, signal?: AbortSignal) {
    await this.#note("head", key);
    const object = await this.#inner.head(key, signal);
    return object && this.#byItsClock(object);
  }

  async list(...args: Parameters<SnapStore["list"]>) {
    await this.#note("list", args[0]);
    const page = await this.#inner.list(...args);
    return { ...page, objects: page.objects.map((object) => this.#byItsClock(object)) };
  }

  async delete(key: string, signal?: AbortSignal): Promise<void> {
    await this.#note("delete", key);
    await this.#inner.delete(key, signal);
  }

  abortStaleUploads(...args: Parameters<SnapStore["abortStaleUploads"]>): Promise<number> {
    return this.#inner.abortStaleUploads(...args);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  #byItsClock(object: StoredObject): StoredObject {
    if (this.clockAheadMs === 0) return object;
    return { ...object, modified: new Date(object.modified.getTime() + this.clockAheadMs) };
  }

  async #note(call: Call, key: string): Promise<void> {
    this.calls.push({ call, key });
    await this.before(call, key);
  }
}
