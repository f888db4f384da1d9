import { BackupToolError } from "../../errors.js";
import { findSnapshot, type StoredSnapshot } from "../../snapshots/catalog.js";
import type { SnapStore } from "../../snapstore/store.js";
import { type SeenSnapshots, seenSnapshot } from "./seen-snapshots.js";

/**
 * The snapshot with a name, or the newest for `latest`; `seen` compares it with what the store has shown before.
 * Throws UsageError for an invalid name, NO_SNAPSHOT.
 */
export async function chooseSnapshot(
  store: SnapStore,
  given: string,
  seen: SeenSnapshots,
  signal: AbortSignal,
): Promise<StoredSnapshot> {
  const latest = given === "latest";
  let found: StoredSnapshot;
  try {
    found = await findSnapshot(store, given, signal);
  } catch (error) {
    const none = error instanceof BackupToolError && error.code === "NO_SNAPSHOT";
    if (latest && none) await seen.check(store, undefined);
    throw error;
  }
  const shown = seenSnapshot(found);
  if (latest) await seen.check(store, shown);
  else if (shown !== undefined) await seen.remember(store, shown);
  return found;
}
