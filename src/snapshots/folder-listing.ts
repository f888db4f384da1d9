import { createHash } from "node:crypto";
import { archiveName, INDEX_NAME, MANIFEST_NAME, METADATA_NAME } from "../archive/format.js";
import { compareKeys } from "../snapstore/key.js";
import type { SnapStore, StoredObject } from "../snapstore/store.js";
import { checkCount } from "./catalog.js";
import { parseSnapshotName, type SnapshotName } from "./name.js";
import { isOwnFile } from "./own-keys.js";
import type { DeltaFacts, DeltaTaker } from "./streams/stored-stream.js";
import { type ListedStream, StreamFolder, withTaken } from "./streams/stream-folder.js";
import { parseStreamName } from "./streams/stream-name.js";

/** What a listing says about the folder of a snapshot. Its size in memory does not depend on the number of files. */
export interface ListedFolder {
  readonly name: SnapshotName;
  /** Whether an object has the name of the snapshot: it belongs to another program. */
  readonly isObject: boolean;
  /** Changes with each file of this program in the folder, and with the first file of another one. */
  readonly fingerprint: string;
  /** Whether the listing has all files of a backup of `files` files, and its manifest. */
  lists(files: number): boolean;
}

/** Pages without a file of a snapshot that a listing reads before it stops. */
const MAX_OTHER_PAGES = 100;

/** The folders of a store. */
export interface ListedFolders<D extends DeltaFacts> {
  readonly snapshots: readonly ListedFolder[];
  /** Those with a file of this program. */
  readonly streams: readonly ListedStream<D>[];
}

/**
 * The folders with the name of a snapshot or a stream below the store's prefix, by one listing of all keys.
 * Undefined if this is not the way to list the store: it has too many other objects, or lists keys out of order. Throws
 * STORE_FAILED for more than `limit` of them, and as `take`, which decides what is kept of the deltas; without it no
 * stream is kept.
 */
export async function listFolders<D extends DeltaFacts>(
  store: SnapStore,
  limit: number,
  take: DeltaTaker<D> | undefined,
  signal: AbortSignal,
): Promise<ListedFolders<D> | undefined> {
  const snapshots: ListedFolder[] = [];
  const streams: ListedStream<D>[] = [];
  /** Objects with the name of a folder; they come before the files in it. */
  const objects = new Set<string>();
  let open: FolderDigest | StreamFolder | undefined;
  let last: string | undefined;
  let otherPages = 0;
  const close = (): void => {
    if (open instanceof FolderDigest) snapshots.push(open.end());
    const stream = open instanceof StreamFolder ? open.end() : undefined;
    open = undefined;
    if (stream !== undefined && take !== undefined) streams.push(withTaken(stream, take));
  };
  for await (const page of pagesOf(store, "", signal)) {
    let files = 0;
    for (const object of page) {
      const { key } = object;
      if (last !== undefined && compareKeys(last, key) >= 0) return undefined;
      last = key;
      const [folder = "", ...path] = key.split("/", 2);
      if (open?.name.text !== folder || path.length === 0) {
        close();
        const next = folderNamed(folder, objects.has(folder));
        if (next === undefined) continue;
        if (path.length > 0) open = next;
        else objects.add(folder);
      }
      open?.add(object);
      files++;
    }
    if (files === 0 && ++otherPages > MAX_OTHER_PAGES) return undefined;
    checkCount(store, snapshots.length + streams.length + objects.size, limit);
  }
  close();
  return { snapshots, streams };
}

function folderNamed(text: string, isObject: boolean): FolderDigest | StreamFolder | undefined {
  const name = parseSnapshotName(text);
  if (name !== undefined) return new FolderDigest(name, isObject);
  const stream = parseStreamName(text);
  return stream && new StreamFolder(stream, isObject);
}

/** The folder of one snapshot. `isObject` is whether an object has its name. */
export async function listFolder(
  store: SnapStore,
  name: SnapshotName,
  isObject: boolean,
  signal: AbortSignal,
): Promise<ListedFolder> {
  const folder = new FolderDigest(name, isObject);
  for await (const page of pagesOf(store, `${name.text}/`, signal)) {
    for (const object of page) folder.add(object);
  }
  return folder.end();
}

async function* pagesOf(
  store: SnapStore,
  prefix: string,
  signal: AbortSignal,
): AsyncGenerator<readonly StoredObject[], void, void> {
  let cursor: string | undefined;
  do {
    const page = await store.list(prefix, { cursor, signal });
    yield page.objects;
    cursor = page.next;
  } while (cursor !== undefined);
}

/** Takes the objects of a folder in the order of a listing. */
class FolderDigest {
  readonly name: SnapshotName;
  readonly #isObject: boolean;
  readonly #hash = createHash("sha256");
  #foreign = false;
  /** Archive files from 0 on without a gap. */
  #archives = 0;
  /** How many of the other three files of a backup. */
  #others = 0;

  constructor(name: SnapshotName, isObject: boolean) {
    this.name = name;
    this.#isObject = isObject;
    this.#hash.update(`${isObject}\n`);
  }

  add({ key, size, modified, tag }: StoredObject): void {
    const file = key.slice(this.name.text.length + 1);
    if (!isOwnFile(file)) {
      // Only the first one is named by a snapshot.
      if (!this.#foreign) this.#hash.update(`${JSON.stringify([key])}\n`);
      this.#foreign = true;
      return;
    }
    this.#hash.update(`${JSON.stringify([key, size, modified.getTime(), tag])}\n`);
    if (file === archiveName(this.#archives)) this.#archives++;
    if (file === INDEX_NAME || file === MANIFEST_NAME || file === METADATA_NAME) this.#others++;
  }

  end(): ListedFolder {
    const [archives, others] = [this.#archives, this.#others];
    return {
      name: this.name,
      isObject: this.#isObject,
      fingerprint: this.#hash.digest("base64"),
      lists: (files) => others === 3 && archives + 2 >= files,
    };
  }
}
