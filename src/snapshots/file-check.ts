import type { FileDigest } from "../threads/file-thread.js";
import type { FileFacts } from "../archive/manifest/manifest.js";
import { inParallel } from "../flow/in-parallel.js";
import { StoreError } from "../snapstore/errors.js";
import type { SnapStore, StoredObject } from "../snapstore/store.js";
import { ownObjects } from "./foreign-files.js";

/** Files asked for at the same time. */
const WINDOW = 8;
/** After so many files are asked for and missing, the listing is trusted. */
const MISSING_BEFORE_TRUST = 8;

/** What is wrong with a file of a snapshot. */
export interface FileDamage {
  readonly file: string;
  readonly reason: string;
}

/**
 * Compares the files of a snapshot in a store with the manifest, without reading them. A file that the listing lacks is
 * asked for by name, since a listing may be late, until some are truly missing: a manifest can name 100,000 files that
 * never existed. Keys of other programs' files go to `onForeign`.
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
  const found: FileDamage[] = [];
  await inParallel(waiting, WINDOW, async ([key, file]) => {
    const believed = found.length >= MISSING_BEFORE_TRUST;
    const reason = fileMismatch(file, believed ? listed.get(key) : await store.head(key, signal));
    if (reason !== undefined) found.push({ file: file.name, reason });
  });
  return found.sort((a, b) => (a.file < b.file ? -1 : 1));
}

/** Why an object is not the file of the manifest, as far as the store knows without reading it. */
export function fileMismatch(
  file: FileFacts,
  object: StoredObject | undefined,
): string | undefined {
  if (object === undefined) return "it is not there";
  if (object.size !== file.size) {
    return `it has ${object.size} bytes, not the ${file.size} of the manifest`;
  }
  if (object.sha256 !== undefined && object.sha256 !== file.sha256) {
    return "the store keeps another SHA-256 than the manifest";
  }
  return undefined;
}

/** Throws STORE_FAILED unless the store has the file that was just sent, as far as it knows without reading it. */
export async function requireStored(
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
