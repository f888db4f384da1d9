import { manifestKey } from "../../snapshots/manifest.js";
import { deleteSnapshot } from "../../snapshots/delete.js";
import type { StoreConfig } from "../../snapstore/config.js";
import type { SnapStore } from "../../snapstore/store.js";
import type { StoreContext } from "../context.js";
import { withStore } from "../open/stores.js";

interface DiscardStores {
  readonly primary: StoreConfig;
  readonly secondary?: StoreConfig | undefined;
}

/**
 * Removes what a backup left that this process has begun and given up: its files and uploads. A snapshot with a
 * manifest is complete, and stays. One that is complete in the primary stays in the secondary as it is: the sync may be
 * copying it there.
 */
export async function discardUnfinished(
  { primary, secondary }: DiscardStores,
  snapshot: string,
  context: StoreContext,
): Promise<void> {
  const isComplete = await discardIn(primary, snapshot, context);
  if (secondary !== undefined && !isComplete) await discardIn(secondary, snapshot, context);
}

/** Resolves with whether the snapshot is complete. */
function discardIn(
  config: StoreConfig,
  snapshot: string,
  { signal, report, guard }: StoreContext,
): Promise<boolean> {
  const work = async (store: SnapStore): Promise<boolean> => {
    if ((await store.head(manifestKey(snapshot), signal)) !== undefined) return true;
    await store.abortStaleUploads(`${snapshot}/`, new Date(), { signal });
    const removed = await deleteSnapshot(store, snapshot, { dryRun: false, signal });
    if (removed.files > 0) {
      report({ type: "snapshot-deleted", snapshot, store: store.name, ...removed, dryRun: false });
    }
    return false;
  };
  return withStore(config, work, {}, guard);
}
