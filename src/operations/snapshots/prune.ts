import { pruneIncomplete } from "../../snapshots/prune.js";
import type { SnapshotName } from "../../snapshots/name.js";
import type { StoreConfig } from "../../snapstore/config.js";
import type { SnapStore } from "../../snapstore/store.js";
import type { StoreContext } from "../context.js";
import { newestComplete, type SeenSnapshot, SeenSnapshots } from "../open/seen-snapshots.js";
import { withStore } from "../open/stores.js";

interface SnapshotPruneOptions {
  readonly store: StoreConfig;
  /** Snapshots with later writes are kept. */
  readonly olderThan: Date;
  readonly dryRun: boolean;
}

/** Removes what interrupted backups and copies left in a store. */
export function pruneStoredLeftOvers(
  { store: config, olderThan, dryRun }: SnapshotPruneOptions,
  context: StoreContext,
): Promise<void> {
  const { signal, report } = context;
  const seen = new SeenSnapshots(context);
  const prune = async (store: SnapStore): Promise<void> => {
    const place = { store: store.name };
    let newest: SeenSnapshot | undefined;
    const gone: SnapshotName[] = [];
    const count = await pruneIncomplete(store, {
      olderThan,
      dryRun,
      signal,
      onListed: async (listed) => {
        newest = newestComplete(listed);
        await seen.check(store, newest);
      },
      onRemoved: (name, removed) => {
        gone.push(name);
        report({ type: "snapshot-deleted", snapshot: name.text, ...place, ...removed, dryRun });
      },
      onProtected: ({ text }, { message }) =>
        report({ type: "warning", message: `${text} is unfinished and kept: ${message}` }),
      onKept: ({ text }) => report({ type: "snapshot-kept", snapshot: text, ...place }),
    });
    // A complete snapshot may have lost its manifest to an interrupted deletion.
    for (const name of dryRun ? [] : gone) await seen.forget(store, name, newest);
    if (!dryRun) report({ type: "uploads-aborted", ...place, count });
  };
  return withStore(config, prune, undefined, context.guard);
}
