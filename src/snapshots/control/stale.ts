import { StoreError } from "../../snapstore/errors.js";
import type { SnapStore } from "../../snapstore/store.js";
import { type ControlFolder, listControlFiles } from "./control-file.js";
import { removeLeftBehind } from "./left-behind.js";
import { isLive } from "./lifetime.js";

/** Files that a process removes at its end. Holds and epochs are not of them. */
const OF_PROCESSES: readonly ControlFolder[] = ["pins", "plans", "names", "clock"];

/**
 * Removes what processes that died have left, which others ignore already, and what this process could not remove before. A
 * file that cannot be removed stays.
 *
 * @param now by the clock of the store
 */
export async function removeStaleFiles(
  store: SnapStore,
  now: Date,
  signal: AbortSignal,
): Promise<void> {
  await removeLeftBehind(store);
  for (const folder of OF_PROCESSES) {
    for (const file of await listControlFiles(store, folder, signal)) {
      if (isLive(file, now)) continue;
      try {
        await store.delete(file.key, signal);
      } catch (error) {
        if (!(error instanceof StoreError)) throw error;
      }
    }
  }
}
