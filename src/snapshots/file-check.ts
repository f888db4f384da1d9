import type { FileDigest } from "../threads/file-thread.js";
import type { FileFacts } from "../archive/manifest/manifest.js";
import { inParallel } from "../flow/in-parallel.js";
import { StoreError } from "../snapstore/errors.js";
import type { SnapStore, StoredObject } from "../snapstore/store.js";
import { ownObjects } from "./foreign-files.js";

/** Concurrent requests for single files. */
const WINDOW = 8;
/** After this many requests for missing files the listing is trusted. */
const MISSING_BEFORE_TRUST = 8;

export interface FileDamage {
  readonly file: string;
  readonly reason: string;
}

/**
 * Compares the files of a snapshot in a store with the manifest, without reading them. A listing may be late, so a file
 * that it lacks is requested by name, until several are missing: a manifest can name 100,000 files that never existed.
 * Keys of other programs' files are passed to `onForeign`.
 */
export async function findMismatches(
  store: SnapStore,
  snapshot: string,
  files: readonly FileFacts[],
  signal: AbortSignal,
  onForeign?: (key: string) => void,
): Promise<FileDamage[]> {
  const waiting = new Map(files.map((file) => [`${snapshot}/${file.name}`, file]));
  const listed = new Map<string, StoredObject>();
  for await (const object of ownObjects(store, snapshot, signal, onForeign)) {
    const file = waiting.get(object.key);
    if (file === undefined) continue;
    if (fileMismatch(file, object) === undefined) waiting.delete(object.key);
    else listed.set(object.key, object);
    if (waiting.size === 0 && onForeign === undefined) return [];
  }
  return await confirmMismatches(store, waiting, listed, signal);
}

/** As {@link findMismatches}, with the objects of a listing by the names of their files. */
export async function compareListed(
  store: SnapStore,
  snapshot: string,
  files: readonly FileFacts[],
  listed: ReadonlyMap<string, StoredObject>,
  signal: AbortSignal,
): Promise<FileDamage[]> {
  const waiting = new Map<string, FileFacts>();
  const others = new Map<string, StoredObject>();
  for (const file of files) {
    const object = listed.get(file.name);
    if (fileMismatch(file, object) === undefined) continue;
    const key = `${snapshot}/${file.name}`;
    waiting.set(key, file);
    if (object !== undefined) others.set(key, object);
  }
  return await confirmMismatches(store, waiting, others, signal);
}

async function confirmMismatches(
  store: SnapStore,
  waiting: ReadonlyMap<string, FileFacts>,
  listed: ReadonlyMap<string, StoredObject>,
  signal: AbortSignal,
): Promise<FileDamage[]> {
  const found: FileDamage[] = [];
  await inParallel(waiting, WINDOW, async ([key, file]) => {
    const trusted = found.length >= MISSING_BEFORE_TRUST;
    const reason = fileMismatch(file, trusted ? listed.get(key) : await store.head(key, signal));
    if (reason !== undefined) found.push({ file: file.name, reason });
  });
  return found.sort((a, b) => (a.file < b.file ? -1 : 1));
}

/** Why an object is not the file in the manifest, by its size and stored digest. */
export function fileMismatch(
  file: FileFacts,
  object: StoredObject | undefined,
): string | undefined {
  if (object === undefined) return "it is not there";
  if (object.size !== file.size) {
    return `it has ${object.size} bytes, not the ${file.size} of the manifest`;
  }
  if (object.sha256 !== undefined && object.sha256 !== file.sha256) {
    return "its SHA-256 in the store is not that of the manifest";
  }
  return undefined;
}

/** Throws STORE_FAILED unless a file that was just sent is in the store, by its size and stored digest. */
export async function checkStored(
  store: SnapStore,
  key: string,
  digest: FileDigest,
  signal: AbortSignal,
): Promise<void> {
  const reason = fileMismatch({ name: key, ...digest }, await store.head(key, signal));
  if (reason === undefined) return;
  throw new StoreError("STORE_FAILED", `${key}: after it was sent, ${reason}`, {
    store: store.name,
  });
}
