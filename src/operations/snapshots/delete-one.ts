import type { BackupToolError } from "../../errors.js";
import {
  type DeletionTarget,
  deletePlanned,
  type PlannedDeletionOptions,
} from "../../snapshots/control/delete-planned.js";
import type { Removed } from "../../snapshots/delete.js";
import type { SnapStore } from "../../snapstore/store.js";
import type { StoreContext } from "../context.js";

/** The snapshot or the stream that is deleted. */
interface OneTarget {
  readonly snapshots?: readonly DeletionTarget[];
  readonly streams?: PlannedDeletionOptions["streams"];
}

/**
 * Deletes one snapshot or stream, unless something has come to need it since it was chosen: a question may wait for hours.
 *
 * @param recheck looks again at what needs it, and throws to keep it
 */
export async function deleteOne(
  store: SnapStore,
  { snapshots = [], streams }: OneTarget,
  recheck: PlannedDeletionOptions["recheck"],
  { guard, signal }: StoreContext,
): Promise<Removed> {
  const result: { removed?: Removed; error?: BackupToolError } = {};
  await deletePlanned(store, snapshots, {
    streams,
    waitMs: 0,
    guard,
    signal,
    recheck,
    onDeleted: (_, removed) => {
      result.removed = removed;
    },
    onFailed: (_, error) => {
      result.error = error;
    },
  });
  if (result.error !== undefined) throw result.error;
  return result.removed ?? { files: 0, bytes: 0 };
}
