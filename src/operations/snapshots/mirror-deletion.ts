import type { PlannedDeletion } from "../../replication/sync/mirror.js";
import type { SyncSite } from "../../replication/sync/sync-run.js";
import { deletePlanned } from "../../snapshots/control/delete-planned.js";
import type { WriteGuard } from "../../snapstore/layers/guarded.js";
import { newestComplete, type SeenSnapshots } from "../open/seen-snapshots.js";

/** Deletes the snapshots of a secondary that have gone from the primary. */
export function deleteMirrored(
  { store, catalog }: SyncSite,
  options: {
    readonly seen: SeenSnapshots;
    readonly waitMs: number;
    readonly guard: WriteGuard | undefined;
    readonly signal: AbortSignal;
  },
): PlannedDeletion {
  const { seen, ...planned } = options;
  return (targets, { recheck, onDeleted, onFailed }) =>
    deletePlanned(store, targets, {
      ...planned,
      onDeleted,
      onFailed,
      recheck: async ({ pinned }) => {
        const still = await recheck({ pinned });
        const listed = await catalog.list(planned.signal);
        const left = newestComplete(listed.filter(({ name }) => !still.has(name.text)));
        for (const { name } of targets) {
          if (still.has(name.text)) await seen.forget(store, name, left);
        }
        return still;
      },
    });
}
