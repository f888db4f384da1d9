import { manifestKey } from "../../snapshots/manifest.js";
import { deleteSnapshot } from "../../snapshots/delete.js";
import type { StoreConfig } from "../../snapstore/config.js";
import type { StoreContext } from "../context.js";
import { withStore } from "../open/stores.js";

/**
 * Removes what a backup left that this process has begun and given up: its files and uploads. A snapshot with a
 * manifest is complete, and stays.
 */
export function discardUnfinished(
  config: StoreConfig,
  snapshot: string,
  { signal, report }: StoreContext,
): Promise<void> {
  return withStore(config, async (store) => {
    if ((await store.head(manifestKey(snapshot), signal)) !== undefined) return;
    await store.abortStaleUploads(`${snapshot}/`, new Date(), { signal });
    const removed = await deleteSnapshot(store, snapshot, { dryRun: false, signal });
    if (removed.files === 0) return;
    report({ type: "snapshot-deleted", snapshot, store: store.name, ...removed, dryRun: false });
  });
}
