import { createHash } from "node:crypto";
import type { RcloneConfig } from "../config.js";
import { StoreError } from "../errors.js";
import { checkKey, checkPrefix } from "../key.js";
import { shownContainer } from "../shown-container.js";
import type {
  GetOptions,
  ListOptions,
  ListPage,
  PutOptions,
  SnapStore,
  StaleOptions,
  StoreCapabilities,
  StoredObject,
  StoreUpload,
  UploadOptions,
} from "../store.js";
import { uploadStarted } from "../parts/upload-id.js";
import { RcloneDaemon } from "./daemon.js";
import { RcloneFiles, UPLOADS } from "./files.js";
import { RcloneUpload } from "./upload.js";

const PAGE = 1000;

/** A remote of rclone. */
export class RcloneStore implements SnapStore {
  readonly name: string;
  readonly place: string;
  readonly capabilities: StoreCapabilities = {
    parallelParts: false,
    atomicIfAbsent: false,
    minPartBytes: 1,
    maxPartBytes: 2 ** 32,
    maxParts: 2 ** 31,
    locks: "never",
  };
  readonly #files: RcloneFiles;

  constructor(config: RcloneConfig) {
    const { container, prefix, configFile = "" } = config;
    const shown = shownContainer(config);
    this.name = `rclone:${shown}${prefix === "" ? "" : `${/[:/]$/.test(shown) ? "" : "/"}${prefix}`}`;
    const digest = createHash("sha256").update(`${configFile}\0${container}`).digest("hex");
    this.place = `rclone:${shown === container ? container : digest}/${prefix}`;
    this.#files = new RcloneFiles(new RcloneDaemon(config, this.name));
  }

  async put(key: string, bytes: Uint8Array, options: PutOptions = {}): Promise<void> {
    const partBytes = Math.max(1, bytes.length);
    const upload = await this.startUpload(key, { ...options, partBytes });
    try {
      await upload.part(0, bytes, options.signal);
      const sha256 = createHash("sha256").update(bytes).digest("hex");
      await upload.complete({ parts: 1, size: bytes.length, sha256 }, options.signal);
    } catch (error) {
      await upload.abort();
      throw error;
    }
  }

  async startUpload(key: string, options: UploadOptions): Promise<StoreUpload> {
    this.#checkKey(key);
    const { signal, ifAbsent } = options;
    const existing = await this.#files.stat(key, { key, signal });
    if (ifAbsent && existing !== undefined) {
      throw this.#error("STORE_EXISTS", `${key}: exists already`);
    }
    return new RcloneUpload(this.#files, key, options);
  }

  async *get(key: string, options: GetOptions = {}): AsyncGenerator<Uint8Array, void, void> {
    this.#checkKey(key);
    const { offset = 0, length, ifTag, signal } = options;
    const found = await this.#files.stat(key, { key, signal });
    if (found === undefined) throw this.#error("STORE_NOT_FOUND", `${key}: not found`);
    if (ifTag !== undefined && ifTag !== found.tag) {
      throw this.#error("STORE_TRANSIENT", `${key}: has changed`);
    }
    const end = Math.min(found.size, offset + (length ?? found.size));
    if (offset >= end) return;
    let got = 0;
    const range = { first: offset, last: end - 1 };
    for await (const piece of this.#files.daemon.read(key, range, { key, signal })) {
      got += piece.length;
      yield piece;
    }
    if (got === end - offset) return;
    throw this.#error("STORE_TRANSIENT", `${key}: cut short, ${got} bytes of ${end - offset}`);
  }

  async head(key: string, signal?: AbortSignal): Promise<StoredObject | undefined> {
    this.#checkKey(key);
    return await this.#files.stat(key, { key, signal });
  }

  /** rclone lists folder by folder without pages: the names of one folder are held in memory. */
  async list(prefix: string, options: ListOptions = {}): Promise<ListPage> {
    checkPrefix(this.name, prefix);
    const { limit = PAGE, shallow = false, signal, cursor = "" } = options;
    const objects: StoredObject[] = [];
    const folders: string[] = [];
    let last = cursor;
    for await (const entry of this.#walk(prefix, { after: cursor, shallow, signal })) {
      if (objects.length + folders.length === limit) return { objects, folders, next: last };
      last = typeof entry === "string" ? entry : entry.key;
      if (typeof entry === "string") folders.push(entry);
      else objects.push(entry);
    }
    return { objects, folders };
  }

  async delete(key: string, signal?: AbortSignal): Promise<void> {
    this.#checkKey(key);
    await this.#files.remove(key, { key, signal });
  }

  async abortStaleUploads(
    prefix: string,
    olderThan: Date,
    options: StaleOptions = {},
  ): Promise<number> {
    checkPrefix(this.name, prefix);
    const { keep = [], signal } = options;
    const about = { key: prefix, signal };
    let removed = 0;
    for (const { object } of await this.#files.list(UPLOADS, about)) {
      const started = uploadStarted(object.key.slice(UPLOADS.length + 1));
      if (started === undefined || started >= olderThan) continue;
      if (!(await this.#isBelow(object.key, [prefix], about))) continue;
      if (await this.#isBelow(object.key, keep, about)) continue;
      await this.#files.purge(object.key, about);
      removed++;
    }
    return removed;
  }

  async close(): Promise<void> {
    await this.#files.daemon.close();
  }

  /** Whether the key of the upload in folder `root` is below one of the prefixes. */
  async #isBelow(
    root: string,
    prefixes: readonly string[],
    about: { key: string; signal?: AbortSignal | undefined },
  ): Promise<boolean> {
    for (const prefix of prefixes) {
      const below = `${root}/${prefix}`.replace(/\/$/, "");
      if (prefix === "" || (await this.#files.list(below, about)).length > 0) return true;
    }
    return false;
  }

  /** Objects and, in a shallow listing, folders after `after`, in the order of their UTF-8 bytes. */
  async *#walk(
    prefix: string,
    options: { after: string; shallow: boolean; signal: AbortSignal | undefined },
  ): AsyncGenerator<StoredObject | string, void, void> {
    const { after, shallow, signal } = options;
    const found = await this.#files.list(prefix.replace(/\/$/, ""), { key: prefix, signal });
    const entries = found.map((entry) => {
      return { ...entry, name: entry.object.key + (entry.folder ? "/" : "") };
    });
    entries.sort((a, b) => compare(a.name, b.name));
    for (const { object, folder, name } of entries) {
      if (folder && !shallow) {
        if (compare(name, after) > 0 || after.startsWith(name)) yield* this.#walk(name, options);
      } else if (compare(name, after) > 0) yield folder ? name : object;
    }
  }

  #checkKey(key: string): void {
    checkKey(this.name, key);
    if (!key.split("/").includes(UPLOADS)) return;
    throw this.#error("STORE_FAILED", `${key}: this name is reserved for unfinished files`);
  }

  #error(code: StoreError["code"], message: string): StoreError {
    return new StoreError(code, message, { store: this.name });
  }
}

function compare(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
