import { deleteSnapshot, checkNotNeeded } from "../../snapshots/delete.js";
import { foreignFile } from "../../snapshots/foreign-files.js";
import { checkNotCovered, heldNames } from "../../snapshots/holds.js";
import { findSnapshot, listSnapshots, type StoredSnapshot } from "../../snapshots/catalog.js";
import type { StoreConfig } from "../../snapstore/config.js";
import type { StoreContext } from "../context.js";
import { newestComplete, SeenSnapshots } from "../open/seen-snapshots.js";
import { withStore } from "../open/stores.js";

interface SnapshotDeleteOptions {
  readonly store: StoreConfig;
  readonly snapshot: string;
  /** Report what would be deleted, and delete nothing. */
  readonly dryRun: boolean;
  /** Called before the first deletion; throws to prevent it. */
  readonly approve?: ((snapshot: StoredSnapshot, store: string) => Promise<void>) | undefined;
}

/** Deletes one snapshot. Throws SNAPSHOT_HELD, SNAPSHOT_NEEDED for the base of another one, FOREIGN_FILE. */
export function deleteStoredSnapshot(
  options: SnapshotDeleteOptions,
  context: StoreContext,
): Promise<void> {
  const { signal, report } = context;
  const { dryRun } = options;
  const seen = new SeenSnapshots(context);
  return withStore(options.store, async (store) => {
    const target = await findSnapshot(store, options.snapshot, signal);
    const all = await listSnapshots(store, signal);
    await seen.check(store, newestComplete(all));
    checkNotCovered(store, target, all, await heldNames(store, signal));
    checkNotNeeded(target, all);
    if (target.foreign !== undefined) throw foreignFile(store, target.foreign);
    await options.approve?.(target, store.name);
    const snapshot = target.name.text;
    if (!dryRun) {
      const left = all.filter(({ name }) => name.text !== snapshot);
      await seen.forget(store, target.name, newestComplete(left));
    }
    const removed = await deleteSnapshot(store, snapshot, { dryRun, signal });
    report({ type: "snapshot-deleted", snapshot, store: store.name, ...removed, dryRun });
  });
}
