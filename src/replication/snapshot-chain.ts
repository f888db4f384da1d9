import { BackupToolError } from "../errors.js";
import type { SnapStore } from "../snapstore/store.js";
import { readStoredManifest } from "./snapshot-manifest.js";
import { compareSnapshotNames, type SnapshotName } from "./snapshot-name.js";
import { type StoredSnapshot, snapshotNames } from "./snapshots.js";

/**
 * Names of the snapshots that `snapshot` stands on, its base first and the full one last. Looks at the
 * newest before it first: mostly that is the base. Throws NO_SNAPSHOT when one is not there.
 */
export async function findBases(
  store: SnapStore,
  snapshot: StoredSnapshot,
  signal: AbortSignal,
): Promise<SnapshotName[]> {
  let wanted = snapshot.facts?.base ?? null;
  if (wanted === null) return [];
  const older: SnapshotName[] = [];
  for await (const name of snapshotNames(store, signal)) {
    if (compareSnapshotNames(name, snapshot.name) < 0) older.push(name);
  }
  older.sort(compareSnapshotNames);
  const bases: SnapshotName[] = [];
  for (let name = older.pop(); wanted !== null && name !== undefined; name = older.pop()) {
    const stored = await readStoredManifest(store, name.text, signal).catch(ignoreDamage);
    if (stored?.manifest.id !== wanted) continue;
    bases.push(name);
    wanted = stored.manifest.base;
  }
  if (wanted === null) return bases;
  const above = bases.at(-1)?.text ?? snapshot.name.text;
  throw new BackupToolError(
    "NO_SNAPSHOT",
    `${above} stands on the backup ${wanted}, which is not in ${store.name}`,
    { hint: "copy it there, restore from the other store, or name its folder with --with-base" },
  );
}

/** A damaged snapshot between them is no reason not to find the others. */
function ignoreDamage(error: unknown): undefined {
  if (error instanceof BackupToolError && error.code === "DAMAGED") return undefined;
  throw error;
}
