import { BackupToolError } from "../errors.js";
import type { SnapStore } from "../snapstore/store.js";
import { ChainLinks, type LinkedSnapshot } from "./chain-links.js";
import {
  controlKey,
  listControlFiles,
  putControlFile,
  readControlFile,
  textField,
} from "./control/control-file.js";

/** A hold keeps a snapshot, and the bases below it, until it is released. */
export interface Hold {
  readonly reason?: string | undefined;
  /** RFC 3339. */
  readonly heldAt?: string | undefined;
  /** Why the hold cannot be read, which makes it no weaker. */
  readonly problem?: string | undefined;
}

export const MAX_REASON_CHARACTERS = 500;
const MAX_TIME_CHARACTERS = 64;

const holdKey = (snapshot: string): string => controlKey("holds", snapshot);

/** The names with a hold, of which some may not be in the store. One listing. */
export async function heldNames(store: SnapStore, signal: AbortSignal): Promise<Set<string>> {
  const files = await listControlFiles(store, "holds", signal);
  return new Set(files.map(({ path }) => path));
}

/** The hold on a snapshot; undefined if there is none. A file that cannot be parsed is a hold. */
export async function readHold(
  store: SnapStore,
  snapshot: string,
  signal: AbortSignal,
): Promise<Hold | undefined> {
  const content = await readControlFile(store, holdKey(snapshot), signal);
  if (content === undefined) return undefined;
  if ("problem" in content) return { problem: `its file ${content.problem}` };
  const { fields } = content;
  return {
    reason: textField(fields, "reason", MAX_REASON_CHARACTERS),
    heldAt: textField(fields, "heldAt", MAX_TIME_CHARACTERS),
  };
}

/** Replaces a hold on the same snapshot. */
export async function putHold(
  store: SnapStore,
  snapshot: string,
  { reason, heldAt }: { readonly reason?: string | undefined; readonly heldAt: Date },
  signal: AbortSignal,
): Promise<void> {
  const fields = { snapshot, heldAt: heldAt.toISOString(), reason };
  await putControlFile(store, holdKey(snapshot), fields, { signal });
}

/** Returns whether there was a hold. */
export async function removeHold(
  store: SnapStore,
  snapshot: string,
  signal: AbortSignal,
): Promise<boolean> {
  const key = holdKey(snapshot);
  if ((await store.head(key, signal)) === undefined) return false;
  await store.delete(key, signal);
  return true;
}

/** Throws SNAPSHOT_HELD if there is a hold on this very snapshot. One request. */
export async function checkNotHeld(
  store: SnapStore,
  snapshot: string,
  signal: AbortSignal,
): Promise<void> {
  if ((await store.head(holdKey(snapshot), signal)) === undefined) return;
  throw snapshotHeld(store, snapshot);
}

/** Throws SNAPSHOT_HELD if there is a hold on `target`, or on a snapshot that needs it. */
export function checkNotCovered<S extends LinkedSnapshot>(
  store: SnapStore,
  target: S,
  all: readonly S[],
  held: ReadonlySet<string>,
): void {
  if (held.has(target.name.text)) throw snapshotHeld(store, target.name.text);
  const above = heldAbove(all, held).get(target.name.text);
  if (above !== undefined) throw snapshotHeld(store, target.name.text, above);
}

/** The snapshots that a hold on another one covers, by name, each with the name of a held one that needs it. */
export function heldAbove<S extends LinkedSnapshot>(
  all: readonly S[],
  held: ReadonlySet<string>,
): Map<string, string> {
  const links = new ChainLinks(all);
  const covered = new Map<string, string>();
  for (const one of all) {
    if (!held.has(one.name.text)) continue;
    for (const { name } of links.below(one)) covered.set(name.text, one.name.text);
  }
  return covered;
}

/** The error for what is held, or needed by what is. */
export function snapshotHeld(store: SnapStore, snapshot: string, above?: string): BackupToolError {
  const why = above === undefined ? "is held" : `is needed by ${above}, which is held`;
  return new BackupToolError("SNAPSHOT_HELD", `${snapshot} in ${store.name} ${why}`, {
    hint: "snapshot release ends a hold",
  });
}
