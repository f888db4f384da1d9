import { BackupToolError } from "../errors.js";
import type { SnapStore, StoredObject } from "../snapstore/store.js";
import { isOwnFile } from "./own-keys.js";

/** Every object below a prefix, page by page. */
async function* objectsBelow(
  store: SnapStore,
  prefix: string,
  signal: AbortSignal,
): AsyncGenerator<StoredObject, void, void> {
  let cursor: string | undefined;
  do {
    const page = await store.list(prefix, { cursor, signal });
    yield* page.objects;
    cursor = page.next;
  } while (cursor !== undefined);
}

/** The files of a snapshot, and of no other program: its keys go to `onForeign`. */
export async function* ownObjects(
  store: SnapStore,
  snapshot: string,
  signal: AbortSignal,
  onForeign: (key: string) => void = () => {},
): AsyncGenerator<StoredObject, void, void> {
  const prefix = `${snapshot}/`;
  for await (const object of objectsBelow(store, prefix, signal)) {
    if (isOwnFile(object.key.slice(prefix.length))) yield object;
    else onForeign(object.key);
  }
}

/** What is wrong with a snapshot that another program has `key` in. */
export function foreignProblem(key: string): string {
  return `${key} is another program's, so the snapshot is neither deleted nor pruned`;
}

export function foreignFile(store: SnapStore, key: string): BackupToolError {
  return new BackupToolError(
    "FOREIGN_FILE",
    `${key} in ${store.name} is not a file of backuptool: nothing there was changed`,
    { hint: "leave the folder to the program that made it, or remove that file first" },
  );
}

/**
 * Throws FOREIGN_FILE when a snapshot's folder holds a file of another program, or when an object has its name: of a
 * large object of Swift, all that is below its name may be a part.
 */
export async function requireNoForeign(
  store: SnapStore,
  snapshot: string,
  signal: AbortSignal,
): Promise<void> {
  if ((await store.head(snapshot, signal)) !== undefined) throw foreignFile(store, snapshot);
  const refuse = (key: string): never => {
    throw foreignFile(store, key);
  };
  for await (const _ of ownObjects(store, snapshot, signal, refuse));
}
