import { setMaxListeners } from "node:events";
import { Budget } from "../flow/budget.js";
import { inParallel } from "../flow/in-parallel.js";
import type { SnapStore } from "../snapstore/store.js";
import { namesIn, readSnapshot, type StoredSnapshot } from "./catalog.js";
import { listFolder, type ListedFolder, listFolders } from "./folder-listing.js";
import type { StoreContents, StoreOutline } from "./list-store.js";
import { compareSnapshotNames } from "./name.js";
import { MAX_LISTED_DELTAS } from "./streams/delta-limit.js";
import { listStream, whole } from "./streams/list-streams.js";
import { readBase } from "./streams/read-base.js";
import type { DeltaFacts, DeltaTaker, StoredBase, StoredStream } from "./streams/stored-stream.js";
import { type ListedStream, withTaken } from "./streams/stream-folder.js";
import { outlined } from "./streams/stream-outline.js";
import { compareStreamNames, type StreamName } from "./streams/stream-name.js";

/** Snapshots read concurrently. */
const WINDOW = 8;

/** More would fill the memory of a server: one an hour for eleven years. */
const MAX_SNAPSHOTS = 100_000;

interface Known<T> {
  readonly fingerprint: string;
  readonly value: T;
}

/** Without a fingerprint where each folder is listed by itself. */
type Folder =
  | ListedFolder
  | (Pick<ListedFolder, "name" | "isObject"> & { fingerprint?: undefined });

/** Streams with what their folders list, or their names alone. */
type Stream<D extends DeltaFacts> =
  | ListedStream<D>
  | { readonly name: StreamName; readonly isObject: boolean };

/**
 * The snapshots and streams of a store as `listStore` finds them, for a process that lists them again and again. A complete
 * snapshot is read once: later listings return what was read, until the listing of its folder changes (a key, a size, a
 * time or a tag). So a listing of a store that has not changed costs listing requests alone.
 */
export class CachedCatalog {
  readonly #store: SnapStore;
  /** By name. Complete snapshots whose files are all in the listing: anything else can change without a sign. */
  readonly #known = new Map<string, Known<StoredSnapshot>>();
  /** Likewise the bases of streams. */
  readonly #knownBases = new Map<string, Known<StoredBase>>();
  /** One listing at a time: a second one would read the same manifests. */
  readonly #turn = new Budget(1);
  readonly #maxDeltas: number;
  #oneByOne = false;

  constructor(store: SnapStore, options: { readonly maxDeltas?: number | undefined } = {}) {
    this.#store = store;
    this.#maxDeltas = options.maxDeltas ?? MAX_LISTED_DELTAS;
  }

  /**
   * All snapshots directly below the store's prefix, oldest first. Throws STORE_FAILED if there are too many to hold.
   */
  async list(signal: AbortSignal): Promise<StoredSnapshot[]> {
    return await this.#inTurn(signal, async (inner) => {
      return await this.#snapshots((await this.#folders(undefined, inner)).snapshots, inner);
    });
  }

  /**
   * All snapshots and all streams, both by one listing where the store allows it. Throws as {@link list}, and STORE_OVERFLOW
   * for more deltas than memory should hold.
   */
  async listAll(signal: AbortSignal): Promise<StoreContents> {
    return await this.#listWith(whole(this.#store, this.#maxDeltas), signal);
  }

  /** As {@link listAll}, of stores with any number of deltas. */
  async outline(signal: AbortSignal): Promise<StoreOutline> {
    return await this.#listWith(outlined(this.#store, this.#maxDeltas), signal);
  }

  async #listWith<D extends DeltaFacts>(
    take: DeltaTaker<D>,
    signal: AbortSignal,
  ): Promise<StoreContents<D>> {
    return await this.#inTurn(signal, async (inner) => {
      const folders = await this.#folders(take, inner);
      const snapshots = await this.#snapshots(folders.snapshots, inner);
      return { snapshots, streams: await this.#streams(folders.streams, take, inner) };
    });
  }

  async #inTurn<T>(outer: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const signal = AbortSignal.any([outer]);
    // Each call in flight adds listeners, and several stores may be listed at once.
    setMaxListeners(0, signal);
    await this.#turn.take(1, signal);
    try {
      return await work(signal);
    } finally {
      this.#turn.giveBack(1);
    }
  }

  async #folders<D extends DeltaFacts>(
    take: DeltaTaker<D> | undefined,
    signal: AbortSignal,
  ): Promise<{ snapshots: readonly Folder[]; streams: readonly Stream<D>[] }> {
    const listed = this.#oneByOne
      ? undefined
      : await listFolders(this.#store, MAX_SNAPSHOTS, take, signal);
    this.#oneByOne = listed === undefined;
    if (listed !== undefined) return listed;
    const { names, streams, objects } = await namesIn(this.#store, signal, MAX_SNAPSHOTS);
    return {
      snapshots: names.map((name) => ({ name, isObject: objects.has(name.text) })),
      streams: streams.map((name) => ({ name, isObject: objects.has(name.text) })),
    };
  }

  async #snapshots(folders: readonly Folder[], signal: AbortSignal): Promise<StoredSnapshot[]> {
    const found: StoredSnapshot[] = [];
    await inParallel(folders, WINDOW, async (folder) => {
      const snapshot = await this.#read(folder, signal);
      if (snapshot !== undefined) found.push(snapshot);
    });
    keepNamed(this.#known, folders);
    return found.sort((a, b) => compareSnapshotNames(a.name, b.name));
  }

  async #read(folder: Folder, signal: AbortSignal): Promise<StoredSnapshot | undefined> {
    const { name, isObject } = folder;
    const listed =
      folder.fingerprint === undefined
        ? await listFolder(this.#store, name, isObject, signal)
        : folder;
    const known = this.#known.get(name.text);
    if (known?.fingerprint === listed.fingerprint) return known.value;
    this.#known.delete(name.text);
    const snapshot = await readSnapshot(this.#store, name, signal, isObject);
    if (snapshot?.state === "complete" && listed.lists(snapshot.facts?.files ?? 0)) {
      this.#known.set(name.text, { fingerprint: listed.fingerprint, value: snapshot });
    }
    return snapshot;
  }

  async #streams<D extends DeltaFacts>(
    streams: readonly Stream<D>[],
    take: DeltaTaker<D>,
    signal: AbortSignal,
  ): Promise<StoredStream<D>[]> {
    const found: StoredStream<D>[] = [];
    await inParallel(streams, WINDOW, async (stream) => {
      const listed =
        "stream" in stream
          ? stream
          : await this.#stream(stream.name, stream.isObject, take, signal);
      if (listed === undefined) return;
      found.push({ ...listed.stream, base: await this.#base(listed, signal) });
    });
    keepNamed(this.#knownBases, streams);
    return found.sort((a, b) => compareStreamNames(a.name, b.name));
  }

  async #stream<D extends DeltaFacts>(
    name: StreamName,
    isObject: boolean,
    take: DeltaTaker<D>,
    signal: AbortSignal,
  ): Promise<ListedStream<D> | undefined> {
    const listed = await listStream(this.#store, name, isObject, signal);
    return listed && withTaken(listed, take);
  }

  async #base(
    listed: Pick<ListedStream, "name" | "baseFiles" | "baseFingerprint">,
    signal: AbortSignal,
  ): Promise<StoredBase | undefined> {
    const { name, baseFiles, baseFingerprint: fingerprint } = listed;
    const known = this.#knownBases.get(name.text);
    if (known?.fingerprint === fingerprint) return known.value;
    this.#knownBases.delete(name.text);
    const base = await readBase(this.#store, listed, signal);
    // The manifest is one file more than it names.
    if (base?.state === "complete" && baseFiles.size > (base.facts?.files ?? 0)) {
      this.#knownBases.set(name.text, { fingerprint, value: base });
    }
    return base;
  }
}

function keepNamed(
  known: Map<string, unknown>,
  folders: readonly { readonly name: { readonly text: string } }[],
): void {
  const names = new Set(folders.map(({ name }) => name.text));
  for (const name of known.keys()) if (!names.has(name)) known.delete(name);
}
