import { pruneIncomplete, type PruneOptions } from "../../snapshots/prune.js";
import type { SnapshotName } from "../../snapshots/name.js";
import type { StoreConfig } from "../../snapstore/config.js";
import type { SnapStore } from "../../snapstore/store.js";
import type { StoreContext } from "../context.js";
import { newestComplete, type SeenSnapshot, SeenSnapshots } from "../open/seen-snapshots.js";
import { withStore } from "../open/stores.js";

interface LeftOverOptions extends Pick<PruneOptions, "list"> {
  /** Snapshots with later writes are kept. */
  readonly olderThan: Date;
  readonly dryRun: boolean;
}

/** Removes what interrupted backups and copies left in a store. */
export function pruneStoredLeftOvers(
  { store: config, ...options }: LeftOverOptions & { readonly store: StoreConfig },
  context: StoreContext,
): Promise<void> {
  const prune = (store: SnapStore) => pruneLeftOvers(store, options, context);
  return withStore(config, prune, undefined, context.guard);
}

/** The same in an open store. */
export async function pruneLeftOvers(
  store: SnapStore,
  options: LeftOverOptions,
  context: StoreContext,
): Promise<void> {
  const { signal, report } = context;
  const { dryRun } = options;
  const seen = new SeenSnapshots(context);
  const place = { store: store.name };
  let newest: SeenSnapshot | undefined;
  const gone: SnapshotName[] = [];
  const count = await pruneIncomplete(store, {
    ...options,
    signal,
    onListed: async (listed) => {
      newest = newestComplete(listed);
      await seen.check(store, newest);
    },
    onRemoved: (name, removed) => {
      if ("kind" in name) gone.push(name);
      report({ type: "snapshot-deleted", snapshot: name.text, ...place, ...removed, dryRun });
    },
    onProtected: ({ text }, { message }) =>
      report({ type: "warning", message: `${text} is unfinished and kept: ${message}` }),
    onKept: ({ text }) => report({ type: "snapshot-kept", snapshot: text, ...place }),
  });
  // A complete snapshot may have lost its manifest to an interrupted deletion.
  for (const name of dryRun ? [] : gone) await seen.forget(store, name, newest);
  if (!dryRun) report({ type: "uploads-aborted", ...place, count });
}
