import type { BigIntStats } from "node:fs";
import { lstat, rmdir, unlink } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { throwIfAborted } from "../../errors.js";
import { syncFolder } from "../../files/sync-folder.js";
import type { LocalConfig } from "../config.js";
import { StoreError } from "../errors.js";
import { checkKey, checkPrefix } from "../key.js";
import { errnoOf, type LocalAction, localFailure } from "./failure.js";
import { walk } from "./listing.js";
import { isUnfinished, NewFile, rejectExisting } from "./new-file.js";
import { isBelowRoot, openRegular, checkBelowRoot } from "./regular-files.js";
import { checkRoot } from "./root-folder.js";
import { spaceAt } from "./space.js";
import { removeStale } from "./stale.js";
import { LocalUpload } from "./upload.js";
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

const READ_BYTES = 1 << 20;
const PAGE = 5000;

/** A folder. Keys are paths below it; unfinished files have temporary names. */
export class LocalStore implements SnapStore {
  readonly name: string;
  readonly place: string;
  readonly capabilities: StoreCapabilities = {
    parallelParts: true,
    atomicIfAbsent: true,
    minPartBytes: 1,
    maxPartBytes: 2 ** 40,
    maxParts: 2 ** 31,
    locks: "never",
  };
  readonly #root: string;

  constructor(config: LocalConfig) {
    this.#root = resolve(config.container, config.prefix);
    this.name = `file://${this.#root}`;
    this.place = this.name;
  }

  async put(key: string, bytes: Uint8Array, options: PutOptions = {}): Promise<void> {
    const path = this.#pathOf(key);
    throwIfAborted(options.signal);
    await this.#run("write", key, async () => {
      const file = await this.#newFile(path, key, options);
      try {
        await file.handle.writeFile(bytes);
        throwIfAborted(options.signal);
        await file.commit(options.ifAbsent ?? false);
      } catch (error) {
        await file.discard();
        throw error;
      }
    });
  }

  async startUpload(key: string, options: UploadOptions): Promise<StoreUpload> {
    const path = this.#pathOf(key);
    throwIfAborted(options.signal);
    return await this.#run("write", key, async () => {
      const file = await this.#newFile(path, key, options);
      return new LocalUpload(file, { ...options, store: this.name, key });
    });
  }

  async *get(key: string, options: GetOptions = {}): AsyncGenerator<Uint8Array, void, void> {
    const path = this.#pathOf(key);
    throwIfAborted(options.signal);
    const file = await this.#run("read", key, async () => {
      await this.#checkBelowRoot(path, key);
      return await openRegular(path, { store: this.name, key });
    });
    try {
      const stats = await file.stat({ bigint: true });
      if (options.ifTag !== undefined && options.ifTag !== tagOf(stats)) {
        throw new StoreError("STORE_TRANSIENT", `${key}: has changed`, { store: this.name });
      }
      const size = Number(stats.size);
      const start = options.offset ?? 0;
      const end = Math.min(size, start + (options.length ?? size));
      for (let at = start; at < end; ) {
        throwIfAborted(options.signal);
        const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, end - at));
        const length = await this.#run("read", key, async () => {
          return (await file.read(buffer, 0, buffer.length, at)).bytesRead;
        });
        if (length === 0) {
          throw new StoreError("STORE_TRANSIENT", `${key}: cut short`, { store: this.name });
        }
        yield buffer.subarray(0, length);
        at += length;
      }
    } finally {
      await file.close();
    }
  }

  async head(key: string, signal?: AbortSignal): Promise<StoredObject | undefined> {
    const path = this.#pathOf(key);
    throwIfAborted(signal);
    return await this.#run("read", key, async () =>
      (await this.#isBelowRoot(path)) ? await statObject(path, key) : undefined,
    );
  }

  async list(prefix: string, options: ListOptions = {}): Promise<ListPage> {
    checkPrefix(this.name, prefix);
    const { limit = PAGE, shallow = false, signal, cursor = "" } = options;
    throwIfAborted(signal);
    const objects: StoredObject[] = [];
    const folders: string[] = [];
    let last = cursor;
    return await this.#run("read", prefix, async () => {
      if (!(await this.#isBelowRoot(this.#inFolder(prefix)))) return { objects, folders };
      for await (const { key, folder } of walk(this.#root, prefix, { after: cursor, shallow })) {
        throwIfAborted(signal);
        if (objects.length + folders.length === limit) return { objects, folders, next: last };
        last = key;
        if (folder) {
          folders.push(key);
          continue;
        }
        const object = await statObject(join(this.#root, key), key);
        // Deleted since its folder was read.
        if (object !== undefined) objects.push(object);
      }
      return { objects, folders };
    });
  }

  async delete(key: string, signal?: AbortSignal): Promise<void> {
    const path = this.#pathOf(key);
    throwIfAborted(signal);
    await this.#run("write", key, async () => {
      await this.#checkBelowRoot(path, key);
      try {
        await unlink(path);
        await syncFolder(dirname(path));
      } catch (error) {
        if (errnoOf(error) !== "ENOENT" && errnoOf(error) !== "ENOTDIR") throw error;
      }
      await this.#removeEmptyFolders(dirname(path));
    });
  }

  async abortStaleUploads(
    prefix: string,
    olderThan: Date,
    options: StaleOptions = {},
  ): Promise<number> {
    checkPrefix(this.name, prefix);
    return await this.#run("write", prefix, async () =>
      (await this.#isBelowRoot(this.#inFolder(prefix)))
        ? await removeStale(this.#root, prefix, olderThan, options)
        : 0,
    );
  }

  async describe(signal?: AbortSignal): Promise<StoreFacts> {
    throwIfAborted(signal);
    return { space: await this.#run("read", "", () => spaceAt(this.#root)) };
  }

  async close(): Promise<void> {}

  /** Empty folders would make listings slower. */
  async #removeEmptyFolders(folder: string): Promise<void> {
    for (let at = folder; at.length > this.#root.length; at = dirname(at)) {
      try {
        await rmdir(at);
      } catch (error) {
        if (errnoOf(error) !== "ENOENT") return;
      }
    }
  }

  /** Whether no folder above the path is a symbolic link. */
  async #isBelowRoot(path: string): Promise<boolean> {
    await checkRoot(this.#root, this.name);
    return await isBelowRoot(this.#root, path);
  }

  /** A path in the folder of a prefix. */
  #inFolder(prefix: string): string {
    return join(this.#root, prefix, "file");
  }

  async #newFile(path: string, key: string, { ifAbsent }: PutOptions): Promise<NewFile> {
    await this.#checkBelowRoot(path, key);
    if (ifAbsent) await rejectExisting(path);
    return await NewFile.create(path);
  }

  async #checkBelowRoot(path: string, key: string): Promise<void> {
    await checkRoot(this.#root, this.name);
    await checkBelowRoot(this.#root, path, { store: this.name, key });
  }

  #pathOf(key: string): string {
    checkKey(this.name, key);
    if (key.split("/").some(isUnfinished)) {
      throw new StoreError("STORE_FAILED", `${key}: this name is reserved for unfinished files`, {
        store: this.name,
      });
    }
    return join(this.#root, key);
  }

  async #run<T>(action: LocalAction, key: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw localFailure(error, { store: this.name, key, action });
    }
  }
}

async function statObject(path: string, key: string): Promise<StoredObject | undefined> {
  try {
    const stats = await lstat(path, { bigint: true });
    if (!stats.isFile()) return undefined;
    return { key, size: Number(stats.size), modified: stats.mtime, tag: tagOf(stats) };
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return undefined;
    throw error;
  }
}

/** A file that is written again has another inode. */
function tagOf(stats: BigIntStats): string {
  return `${stats.ino.toString(36)}-${stats.mtimeNs.toString(36)}-${stats.size.toString(36)}`;
}
