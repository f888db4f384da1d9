import { createHash } from "node:crypto";
import { throwIfAborted } from "../../../src/errors.js";
import { StoreError } from "../../../src/snapstore/errors.js";
import { checkKey, checkPrefix, compareKeys } from "../../../src/snapstore/key.js";
import type {
  GetOptions,
  ListOptions,
  ListPage,
  PutOptions,
  SnapStore,
  StoredObject,
  StoreUpload,
  UploadFacts,
  UploadOptions,
} from "../../../src/snapstore/store.js";

export interface MemoryObject {
  readonly bytes: Uint8Array;
  readonly modified: Date;
  readonly tag: string;
  readonly sha256?: string | undefined;
  lockedUntil?: Date | undefined;
}

const PAGE = 1000;
const PIECE_BYTES = 256 << 10;

/** A store in memory, for histories of thousands of snapshots. Its listings can be late. */
export class MemoryStore implements SnapStore {
  readonly name: string;
  readonly place: string;
  readonly capabilities = {
    parallelParts: true,
    atomicIfAbsent: true,
    minPartBytes: 1,
    maxPartBytes: 2 ** 40,
    maxParts: 2 ** 31,
    locks: "head" as SnapStore["capabilities"]["locks"],
  };
  readonly objects: Map<string, MemoryObject>;
  /** Keys that listings do not show yet. */
  readonly hidden = new Set<string>();
  readonly #prefix: string;
  #sorted: string[] | undefined;
  #writes = 0;

  /** @param objects shared by stores with other prefixes */
  constructor(prefix = "", objects = new Map<string, MemoryObject>()) {
    this.#prefix = prefix === "" ? "" : `${prefix}/`;
    this.objects = objects;
    this.name = `memory://${prefix}`;
    this.place = this.name;
  }

  async put(key: string, bytes: Uint8Array, options: PutOptions = {}): Promise<void> {
    this.#check(key, options.signal);
    this.#store(key, bytes, options);
  }

  async startUpload(key: string, options: UploadOptions): Promise<StoreUpload> {
    this.#check(key, options.signal);
    if (options.ifAbsent && this.read(key) !== undefined) throw this.#exists(key);
    const parts = new Map<number, Uint8Array>();
    let done = false;
    const complete = async (facts: UploadFacts, signal?: AbortSignal): Promise<void> => {
      throwIfAborted(signal);
      if (done) return;
      const pieces = Array.from({ length: facts.parts }, (_, i) => parts.get(i) ?? Buffer.of());
      const bytes = Buffer.concat(pieces);
      if (bytes.length !== facts.size) throw this.#error("STORE_FAILED", `${key}: parts missing`);
      this.#store(key, bytes, options, facts.sha256);
      done = true;
    };
    return {
      part: async (number, bytes, signal) => {
        throwIfAborted(signal);
        parts.set(number, Uint8Array.from(bytes));
      },
      complete,
      abort: async () => parts.clear(),
    };
  }

  async *get(key: string, options: GetOptions = {}): AsyncGenerator<Uint8Array, void, void> {
    this.#check(key, options.signal);
    const stored = this.read(key);
    if (stored === undefined) throw this.#error("STORE_NOT_FOUND", `${key}: not found`);
    const { offset = 0, length = stored.bytes.length, ifTag } = options;
    if (ifTag !== undefined && ifTag !== stored.tag) {
      throw this.#error("STORE_TRANSIENT", `${key}: has changed`);
    }
    const bytes = stored.bytes.subarray(offset, offset + length);
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
      throwIfAborted(options.signal);
      yield bytes.subarray(at, at + PIECE_BYTES);
    }
  }

  async head(key: string, signal?: AbortSignal): Promise<StoredObject | undefined> {
    this.#check(key, signal);
    const stored = this.read(key);
    const { sha256 } = stored ?? {};
    return stored && { ...describe(key, stored), sha256, ...lockOf(stored) };
  }

  async list(prefix: string, options: ListOptions = {}): Promise<ListPage> {
    checkPrefix(this.name, prefix);
    throwIfAborted(options.signal);
    const { cursor, shallow = false, limit = PAGE } = options;
    const objects: StoredObject[] = [];
    const folders: string[] = [];
    const keys = this.keys();
    let last = cursor;
    let next = cursor === undefined ? firstFrom(keys, prefix) : firstAfter(keys, cursor, shallow);
    for (; next < keys.length; next++) {
      const key = keys[next] ?? "";
      if (!key.startsWith(prefix)) break;
      if (this.hidden.has(key)) continue;
      const slash = shallow ? key.indexOf("/", prefix.length) : -1;
      const entry = slash < 0 ? key : key.slice(0, slash + 1);
      if (entry === last) continue;
      if (objects.length + folders.length === limit) return { objects, folders, next: last };
      last = entry;
      const object = this.listed(key);
      if (slash >= 0) folders.push(entry);
      else if (object !== undefined) objects.push(object);
    }
    return { objects, folders };
  }

  async delete(key: string, signal?: AbortSignal): Promise<void> {
    this.#check(key, signal);
    this.#checkUnlocked(key);
    if (this.objects.delete(this.#prefix + key)) this.#sorted = undefined;
    this.hidden.delete(key);
  }

  async abortStaleUploads(): Promise<number> {
    return 0;
  }

  async close(): Promise<void> {}

  /** Keys in the order of a listing. */
  protected keys(): readonly string[] {
    if (this.#sorted?.length !== this.objects.size || this.#prefix !== "") {
      this.#sorted = [...this.objects.keys()]
        .filter((key) => key.startsWith(this.#prefix))
        .map((key) => key.slice(this.#prefix.length))
        .sort(compareKeys);
    }
    return this.#sorted;
  }

  /** An object as a listing shows it. */
  protected listed(key: string): StoredObject | undefined {
    const stored = this.read(key);
    return stored && describe(key, stored);
  }

  protected read(key: string): MemoryObject | undefined {
    return this.objects.get(this.#prefix + key);
  }

  #store(key: string, bytes: Uint8Array, { ifAbsent }: PutOptions, sha256?: string): void {
    if (ifAbsent && this.read(key) !== undefined) throw this.#exists(key);
    this.#checkUnlocked(key);
    const tag = `${createHash("md5").update(bytes).digest("hex")}-${++this.#writes}`;
    const stored = { bytes: Uint8Array.from(bytes), modified: new Date(), tag, sha256 };
    this.objects.set(this.#prefix + key, stored);
  }

  #check(key: string, signal: AbortSignal | undefined): void {
    checkKey(this.name, key);
    throwIfAborted(signal);
  }

  #checkUnlocked(key: string): void {
    if (lockOf(this.read(key)).lockedUntil === undefined) return;
    throw this.#error("STORE_IMMUTABLE", `${key}: is locked`);
  }

  #exists(key: string): StoreError {
    return this.#error("STORE_EXISTS", `${key}: exists already`);
  }

  #error(code: StoreError["code"], message: string): StoreError {
    return new StoreError(code, message, { store: this.name });
  }
}

function describe(key: string, { bytes, modified, tag }: MemoryObject): StoredObject {
  return { key, size: bytes.length, modified, tag };
}

function lockOf(stored: MemoryObject | undefined): { lockedUntil?: Date } {
  const until = stored?.lockedUntil;
  return until !== undefined && until > new Date() ? { lockedUntil: until } : {};
}

function firstFrom(keys: readonly string[], prefix: string): number {
  return bisect(keys, (key) => compareKeys(key, prefix) < 0);
}

/** After a folder of a shallow listing come the keys that are not in it. */
function firstAfter(keys: readonly string[], last: string, shallow: boolean): number {
  const isFolder = shallow && last.endsWith("/");
  return bisect(keys, (key) => compareKeys(key, last) <= 0 || (isFolder && key.startsWith(last)));
}

/** The number of keys at the beginning that match. */
function bisect(keys: readonly string[], matches: (key: string) => boolean): number {
  let [low, high] = [0, keys.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (matches(keys[middle] ?? "")) low = middle + 1;
    else high = middle;
  }
  return low;
}
