import { BackupToolError, InterruptedError } from "../../errors.js";
import type { PlannedDeletion } from "../../replication/sync/mirror.js";
import type { SyncSite } from "../../replication/sync/store-sync.js";
import { deleteSnapshot } from "../../snapshots/delete.js";
import { newestComplete, type SeenSnapshots } from "../open/seen-snapshots.js";

/** Deletes the snapshots of a secondary that have gone from the primary. */
export function deleteMirrored(
  { store, catalog }: SyncSite,
  { seen, signal }: { readonly seen: SeenSnapshots; readonly signal: AbortSignal },
): PlannedDeletion {
  return async (targets, { recheck, onDeleted, onFailed }) => {
    const still = await recheck({ pinned: new Set() });
    const listed = await catalog.list(signal);
    const left = newestComplete(listed.filter(({ name }) => !still.has(name.text)));
    /** Ids of backups that something needs which stays. */
    const needed = new Set<string>();
    for (const { name, facts } of targets) {
      let stays = !still.has(name.text) || (facts !== undefined && needed.has(facts.id));
      if (!stays) {
        try {
          await seen.forget(store, name, left);
          onDeleted(name, await deleteSnapshot(store, name.text, { dryRun: false, signal }));
        } catch (error) {
          if (!(error instanceof BackupToolError) || error instanceof InterruptedError) throw error;
          stays = true;
          onFailed(name, error);
        }
      }
      if (stays && facts?.base != null) needed.add(facts.base);
    }
  };
}
