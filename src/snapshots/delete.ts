import { BackupToolError } from "../errors.js";
import { inParallel } from "../flow/in-parallel.js";
import type { SnapStore } from "../snapstore/store.js";
import { ownObjects, checkNoForeign } from "./foreign-files.js";
import { checkNotHeld } from "./holds.js";
import { checkUnlocked } from "./locks.js";
import { manifestKey } from "./manifest.js";
import type { StoredSnapshot } from "./catalog.js";
import type { SnapshotName } from "./name.js";

const WINDOW = 8;

/** Codes with which {@link deleteSnapshot} rejects one snapshot, before it has sent anything: the next may be deleted. */
export const REJECTED_DELETIONS: ReadonlySet<string> = new Set([
  "SNAPSHOT_HELD",
  "FOREIGN_FILE",
  "STORE_IMMUTABLE",
]);

export interface Removed {
  readonly files: number;
  readonly bytes: number;
}

/**
 * Deletes a snapshot, its manifest first: an interrupted deletion leaves nothing that looks complete. Before the first
 * deletion it throws SNAPSHOT_HELD, FOREIGN_FILE if another program has a file in the folder, STORE_IMMUTABLE if a file is
 * locked.
 */
export async function deleteSnapshot(
  store: SnapStore,
  snapshot: string,
  options: { readonly dryRun: boolean; readonly signal: AbortSignal },
): Promise<Removed> {
  const { dryRun, signal } = options;
  await checkNotHeld(store, snapshot, signal);
  await checkNoForeign(store, snapshot, signal);
  const removed = await checkUnlocked(store, snapshot, signal);
  if (dryRun) return removed;
  await store.delete(manifestKey(snapshot), signal);
  await inParallel(ownObjects(store, snapshot, signal), WINDOW, ({ key }) =>
    store.delete(key, signal),
  );
  return removed;
}

/**
 * Throws SNAPSHOT_NEEDED if another snapshot is based on `target`, or may be: the base of one that is being written, or
 * whose manifest is damaged, is unknown.
 */
export function checkNotNeeded(target: StoredSnapshot, all: readonly StoredSnapshot[]): void {
  const others = all.filter(({ name }) => name.text !== target.name.text);
  const id = target.facts?.id;
  // Another copy of the same backup remains.
  if (id !== undefined && others.some((one) => one.state === "complete" && one.facts?.id === id)) {
    return;
  }
  const dependents = others.filter((one) =>
    one.facts === undefined ? mayBeBasedOn(one, target) : one.facts.base === id,
  );
  if (dependents.length === 0) return;
  const names = dependents.map(({ name, state }) =>
    state === "complete" ? name.text : `${name.text} (${state})`,
  );
  throw new BackupToolError(
    "SNAPSHOT_NEEDED",
    `${target.name.text} is needed by ${names.slice(0, 5).join(", ")}${names.length > 5 ? ` and ${names.length - 5} more` : ""}`,
    { hint: "delete those first" },
  );
}

/** Whether `one`, whose manifest cannot be read, may be based on `target`. */
export function mayBeBasedOn(
  one: Pick<StoredSnapshot, "name">,
  target: { readonly name: SnapshotName; readonly facts?: unknown },
): boolean {
  // A snapshot without a readable manifest cannot be a base.
  if (target.facts === undefined || one.name.kind !== "incremental") return false;
  if (one.name.time < target.name.time) return false;
  const { firstRevision: first, lastRevision: last } = one.name;
  // A range of one revision may have been clamped: nothing was written after the base, or etcd was set back.
  if (first === 0 || first === last) return true;
  // The base is named before it reads etcd, and may contain later revisions than its name.
  return first > target.name.lastRevision;
}
