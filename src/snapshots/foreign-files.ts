import { BackupToolError } from "../errors.js";
import type { SnapStore, StoredObject } from "../snapstore/store.js";
import { isOwnFileIn } from "./own-keys.js";

/** The files of a snapshot or a stream. Keys of other programs' files are passed to `onForeign`. */
export async function* ownObjects(
  store: SnapStore,
  snapshot: string,
  signal: AbortSignal,
  onForeign: (key: string) => void = () => {},
): AsyncGenerator<StoredObject, void, void> {
  const prefix = `${snapshot}/`;
  let cursor: string | undefined;
  do {
    const page = await store.list(prefix, { cursor, signal });
    for (const object of page.objects) {
      if (isOwnFileIn(snapshot, object.key.slice(prefix.length))) yield object;
      else onForeign(object.key);
    }
    cursor = page.next;
  } while (cursor !== undefined);
}

/** Problem of a snapshot whose folder has another program's file. */
export function foreignFileProblem(key: string): string {
  return `${key} belongs to another program, so the snapshot cannot be deleted or pruned`;
}

export function foreignFile(store: SnapStore, key: string): BackupToolError {
  return new BackupToolError(
    "FOREIGN_FILE",
    `${key} in ${store.name} is not a file of backuptool: nothing there was changed`,
    { hint: "leave the folder to the program that created it, or remove that file first" },
  );
}

/**
 * Throws FOREIGN_FILE if a snapshot's folder has a file of another program, or an object has its name: the files below
 * the name may be the segments of a large object of Swift. Resolves with the number of the snapshot's files.
 */
export async function checkNoForeign(
  store: SnapStore,
  snapshot: string,
  signal: AbortSignal,
): Promise<number> {
  if ((await store.head(snapshot, signal)) !== undefined) throw foreignFile(store, snapshot);
  const onForeign = (key: string): never => {
    throw foreignFile(store, key);
  };
  let files = 0;
  for await (const _ of ownObjects(store, snapshot, signal, onForeign)) files++;
  return files;
}
