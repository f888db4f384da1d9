import { BackupToolError } from "../errors.js";
import { inParallel } from "../flow/in-parallel.js";
import { StoreError } from "../snapstore/errors.js";
import type { SnapStore, StoredObject } from "../snapstore/store.js";
import { ownObjects, requireNoForeign } from "./foreign-files.js";
import { manifestKey } from "./manifest.js";
import type { StoredSnapshot } from "./catalog.js";

const WINDOW = 8;

export interface Removed {
  readonly files: number;
  readonly bytes: number;
}

/**
 * Deletes a snapshot, its manifest first: what is left when this is broken off never looks complete.
 * Throws before the first deletion: FOREIGN_FILE when another program has a file there, STORE_IMMUTABLE when
 * the store locks a file.
 */
export async function deleteSnapshot(
  store: SnapStore,
  snapshot: string,
  options: { readonly dryRun: boolean; readonly signal: AbortSignal },
): Promise<Removed> {
  const { dryRun, signal } = options;
  await requireNoForeign(store, snapshot, signal);
  let files = 0;
  let bytes = 0;
  await inParallel(ownObjects(store, snapshot, signal), WINDOW, async (object) => {
    files++;
    bytes += object.size;
    refuseLocked(store, await store.head(object.key, signal));
  });
  if (dryRun) return { files, bytes };
  await store.delete(manifestKey(snapshot), signal);
  await inParallel(ownObjects(store, snapshot, signal), WINDOW, ({ key }) =>
    store.delete(key, signal),
  );
  return { files, bytes };
}

function refuseLocked(store: SnapStore, object: StoredObject | undefined): void {
  const { lockedUntil, key = "" } = object ?? {};
  if (lockedUntil === undefined || lockedUntil <= new Date()) return;
  throw new StoreError("STORE_IMMUTABLE", `${key} is locked until ${lockedUntil.toISOString()}`, {
    store: store.name,
  });
}

/**
 * Throws SNAPSHOT_NEEDED when another snapshot stands on `target`, or may: one that is being written
 * now, or whose manifest cannot be read, does not say what it stands on.
 */
export function refuseNeeded(target: StoredSnapshot, all: readonly StoredSnapshot[]): void {
  const others = all.filter(({ name }) => name.text !== target.name.text);
  const id = target.facts?.id;
  // Another copy of the same backup serves as well.
  if (id !== undefined && others.some((one) => one.state === "complete" && one.facts?.id === id)) {
    return;
  }
  const needing = others.filter((one) =>
    one.facts === undefined ? mayStandOn(one, target) : one.facts.base === id,
  );
  if (needing.length === 0) return;
  const names = needing.map(({ name, state }) =>
    state === "complete" ? name.text : `${name.text} (${state})`,
  );
  throw new BackupToolError(
    "SNAPSHOT_NEEDED",
    `${target.name.text} is needed by ${names.slice(0, 5).join(", ")}${names.length > 5 ? ` and ${names.length - 5} more` : ""}`,
    { hint: "delete those first" },
  );
}

function mayStandOn(one: StoredSnapshot, target: StoredSnapshot): boolean {
  // What is not complete itself can be the base of nothing.
  if (target.facts === undefined || one.name.kind !== "incremental") return false;
  if (one.name.time < target.name.time) return false;
  const { firstRevision: first, lastRevision: last } = one.name;
  // A range of one revision may have been cut to it: of a base with nothing after it, or of an etcd set back.
  if (first === 0 || first === last) return true;
  // The base read etcd after it was named, and may hold revisions that came in between.
  return first > target.name.lastRevision;
}
