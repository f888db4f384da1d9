import type { Manifest } from "../archive/manifest.js";
import { BackupToolError } from "../errors.js";
import { inParallel } from "../in-parallel.js";
import type { SnapStore } from "../snapstore/store.js";
import { readStoredManifest } from "./snapshot-manifest.js";
import { compareSnapshotNames, type SnapshotName } from "./snapshot-name.js";
import { type StoredSnapshot, snapshotNames } from "./snapshots.js";
import { missingOrMisfit } from "./stored-files.js";

/** Bases looked at at the same time; each holds its manifest meanwhile. */
const WINDOW = 8;

/**
 * Names of the snapshots that `snapshot` stands on, its base first and the full one last. Throws
 * NO_SNAPSHOT when one is not there.
 */
export async function findBases(
  store: SnapStore,
  snapshot: StoredSnapshot,
  signal: AbortSignal,
): Promise<SnapshotName[]> {
  const bases: SnapshotName[] = [];
  for await (const base of basesOf(store, snapshot, signal)) {
    if (base.manifest === undefined) {
      throw new BackupToolError("NO_SNAPSHOT", base.missing, {
        hint: "copy it there, restore from the other store, or name its folder with --with-base",
      });
    }
    bases.push(base.name);
  }
  return bases;
}

/**
 * Throws NO_BASE unless all that `snapshot` stands on is in the store, each file in its size: what
 * would be built on it could not be restored from there.
 */
export async function requireBases(
  store: SnapStore,
  snapshot: StoredSnapshot,
  signal: AbortSignal,
): Promise<void> {
  const refuse = (message: string): never => {
    throw new BackupToolError("NO_BASE", message, {
      hint: "make a full backup, or copy the missing one there",
    });
  };
  await inParallel(basesOf(store, snapshot, signal), WINDOW, async (base) => {
    if (base.manifest === undefined) return refuse(base.missing);
    const { name, manifest, above } = base;
    const [first, ...more] = await missingOrMisfit(store, name.text, manifest.files, signal);
    if (first === undefined) return;
    const others = more.length === 0 ? "" : ` (and ${more.length} more)`;
    refuse(
      `${above} stands on ${name.text}, which is damaged in ${store.name}: ${first.file}: ${first.reason}${others}`,
    );
  });
}

type BaseOf =
  | {
      readonly name: SnapshotName;
      readonly manifest: Manifest;
      /** Name of the one that stands on it. */
      readonly above: string;
    }
  | { readonly manifest?: undefined; readonly missing: string };

/**
 * What `snapshot` stands on, its base first; the last one is a full backup, or missing. Looks at the
 * newest before it first: mostly that is the base.
 */
async function* basesOf(
  store: SnapStore,
  snapshot: StoredSnapshot,
  signal: AbortSignal,
): AsyncGenerator<BaseOf, void, void> {
  let wanted = snapshot.facts?.base ?? null;
  if (wanted === null) return;
  const older: SnapshotName[] = [];
  for await (const name of snapshotNames(store, signal)) {
    if (compareSnapshotNames(name, snapshot.name) < 0) older.push(name);
  }
  older.sort(compareSnapshotNames);
  let above = snapshot.name.text;
  for (let name = older.pop(); wanted !== null && name !== undefined; name = older.pop()) {
    const stored = await readStoredManifest(store, name.text, signal).catch(ignoreDamage);
    if (stored?.manifest.id !== wanted) continue;
    yield { name, manifest: stored.manifest, above };
    above = name.text;
    wanted = stored.manifest.base;
  }
  if (wanted === null) return;
  yield {
    missing: `${above} stands on the backup ${wanted}, which is not in ${store.name}`,
  };
}

/** A damaged snapshot between them is no reason not to find the others. */
function ignoreDamage(error: unknown): undefined {
  if (error instanceof BackupToolError && error.code === "DAMAGED") return undefined;
  throw error;
}
