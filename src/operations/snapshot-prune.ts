import { pruneIncomplete } from "../replication/prune-incomplete.js";
import type { StoreConfig } from "../snapstore/config.js";
import type { OperationContext } from "./context.js";
import { withStore } from "./stores.js";

export interface SnapshotPruneOptions {
  readonly store: StoreConfig;
  /** Nothing that was written to since then is touched. */
  readonly olderThan: Date;
  readonly dryRun: boolean;
}

/** Removes what broken-off backups and copies left in a store. */
export function pruneStoredLeftOvers(
  { store: config, olderThan, dryRun }: SnapshotPruneOptions,
  { signal, report }: Pick<OperationContext, "signal" | "report">,
): Promise<void> {
  return withStore(config, async (store) => {
    const place = { store: store.name };
    const count = await pruneIncomplete(store, {
      olderThan,
      dryRun,
      signal,
      onRemoved: ({ text }, removed) =>
        report({ type: "snapshot-deleted", snapshot: text, ...place, ...removed, dryRun }),
      onKept: ({ text }) => report({ type: "snapshot-kept", snapshot: text, ...place }),
    });
    if (!dryRun) report({ type: "uploads-aborted", ...place, count });
  });
}
