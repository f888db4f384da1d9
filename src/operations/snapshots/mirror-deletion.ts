import type { PlannedDeletion } from "../../replication/sync/mirror.js";
import type { SyncSite } from "../../replication/sync/sync-run.js";
import { deletePlanned } from "../../snapshots/control/delete-planned.js";
import type { WriteGuard } from "../../snapstore/layers/guarded.js";
import { newestComplete, type SeenSnapshots } from "../open/seen-snapshots.js";

/** Deletes the snapshots and streams of a secondary that have gone from the primary. */
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
  return ({ snapshots, streams }, { recheck, onDeleted, onFailed }) =>
    deletePlanned(store, snapshots, {
      ...planned,
      streams: streams.map(({ stream: { name }, needs }) => ({ name, needs })),
      onDeleted,
      onFailed,
      recheck: async ({ pinned }) => {
        const still = await recheck({ pinned });
        const { snapshots: listed } = await catalog.listAll(planned.signal);
        const left = newestComplete(listed.filter(({ name }) => !still.has(name.text)));
        for (const { name } of snapshots) {
          if (still.has(name.text)) await seen.forget(store, name, left);
        }
        return still;
      },
    });
}
