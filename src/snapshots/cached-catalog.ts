import { setMaxListeners } from "node:events";
import { Budget } from "../flow/budget.js";
import { inParallel } from "../flow/in-parallel.js";
import type { SnapStore } from "../snapstore/store.js";
import { namesIn, readSnapshot, type StoredSnapshot } from "./catalog.js";
import { listFolder, type ListedFolder, listFolders } from "./folder-listing.js";
import { compareSnapshotNames } from "./name.js";

/** Snapshots read concurrently. */
const WINDOW = 8;

/** More would fill the memory of a server: one an hour for eleven years. */
const MAX_SNAPSHOTS = 100_000;

interface Known {
  readonly fingerprint: string;
  readonly snapshot: StoredSnapshot;
}

/** Without a fingerprint where each folder is listed by itself. */
type Folder =
  | ListedFolder
  | (Pick<ListedFolder, "name" | "isObject"> & { fingerprint?: undefined });

/**
 * The snapshots of a store as `listSnapshots` finds them, for a process that lists them again and again. A complete
 * snapshot is read once: later listings return what was read, until the listing of its folder changes (a key, a size, a
 * time or a tag). So a listing of a store that has not changed costs listing requests alone.
 */
export class CachedCatalog {
  readonly #store: SnapStore;
  /** By name. Complete snapshots whose files are all in the listing: anything else can change without a sign. */
  readonly #known = new Map<string, Known>();
  /** One listing at a time: a second one would read the same manifests. */
  readonly #turn = new Budget(1);
  #oneByOne = false;

  constructor(store: SnapStore) {
    this.#store = store;
  }

  /**
   * All snapshots directly below the store's prefix, oldest first. Throws STORE_FAILED if there are too many to hold.
   */
  async list(outer: AbortSignal): Promise<StoredSnapshot[]> {
    const signal = AbortSignal.any([outer]);
    // Each call in flight adds listeners, and several stores may be listed at once.
    setMaxListeners(0, signal);
    await this.#turn.take(1, signal);
    try {
      const folders = await this.#folders(signal);
      const found: StoredSnapshot[] = [];
      await inParallel(folders, WINDOW, async (folder) => {
        const snapshot = await this.#read(folder, signal);
        if (snapshot !== undefined) found.push(snapshot);
      });
      const names = new Set(folders.map(({ name }) => name.text));
      for (const name of this.#known.keys()) if (!names.has(name)) this.#known.delete(name);
      return found.sort((a, b) => compareSnapshotNames(a.name, b.name));
    } finally {
      this.#turn.giveBack(1);
    }
  }

  async #folders(signal: AbortSignal): Promise<readonly Folder[]> {
    const listed = this.#oneByOne
      ? undefined
      : await listFolders(this.#store, MAX_SNAPSHOTS, signal);
    this.#oneByOne = listed === undefined;
    if (listed !== undefined) return listed;
    const { names, objects } = await namesIn(this.#store, signal, MAX_SNAPSHOTS);
    return names.map((name) => ({ name, isObject: objects.has(name.text) }));
  }

  async #read(folder: Folder, signal: AbortSignal): Promise<StoredSnapshot | undefined> {
    const { name, isObject } = folder;
    const listed =
      folder.fingerprint === undefined
        ? await listFolder(this.#store, name, isObject, signal)
        : folder;
    const known = this.#known.get(name.text);
    if (known?.fingerprint === listed.fingerprint) return known.snapshot;
    this.#known.delete(name.text);
    const snapshot = await readSnapshot(this.#store, name, signal, isObject);
    if (snapshot?.state === "complete" && listed.lists(snapshot.facts?.files ?? 0)) {
      this.#known.set(name.text, { fingerprint: listed.fingerprint, snapshot });
    }
    return snapshot;
  }
}
