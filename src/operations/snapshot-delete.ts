import { deleteSnapshot, refuseNeeded } from "../replication/delete-snapshot.js";
import { findSnapshot, listSnapshots, type StoredSnapshot } from "../replication/snapshots.js";
import type { StoreConfig } from "../snapstore/config.js";
import type { OperationContext } from "./context.js";
import { withStore } from "./stores.js";

export interface SnapshotDeleteOptions {
  readonly store: StoreConfig;
  readonly snapshot: string;
  /** Report what would be deleted, and delete nothing. */
  readonly dryRun: boolean;
  /** Called before the first deletion; throws to prevent it. */
  readonly approve?: ((snapshot: StoredSnapshot, store: string) => Promise<void>) | undefined;
}

/** Deletes one snapshot. Throws SNAPSHOT_NEEDED for the base of another one. */
export function deleteStoredSnapshot(
  options: SnapshotDeleteOptions,
  { signal, report }: Pick<OperationContext, "signal" | "report">,
): Promise<void> {
  const { dryRun } = options;
  return withStore(options.store, async (store) => {
    const target = await findSnapshot(store, options.snapshot, signal);
    refuseNeeded(target, await listSnapshots(store, signal));
    await options.approve?.(target, store.name);
    const snapshot = target.name.text;
    const removed = await deleteSnapshot(store, snapshot, { dryRun, signal });
    report({ type: "snapshot-deleted", snapshot, store: store.name, ...removed, dryRun });
  });
}
