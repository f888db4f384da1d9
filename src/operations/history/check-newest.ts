import { BackupToolError } from "../../errors.js";
import type { HistoryBase, HistoryPlan } from "./plan/plan-history.js";

/**
 * Throws NOT_NEWEST if a raw snapshot was taken after the revision of a plan was made, unless it is of that revision. A backup
 * that is made of an earlier one would be taken for the newest: by restores, and by retention, which would prefer it.
 *
 * @param seenMs when the revision was made, ms since 1970; undefined while it is not known
 */
export function checkNewest(
  { base, revision }: HistoryPlan,
  bases: readonly HistoryBase[],
  seenMs: number | undefined,
): void {
  const newer = bases.find((other) => {
    if (other.revision === revision || other.name === base.name) return false;
    if (other.revision > revision) return other.takenMs > (seenMs ?? base.takenMs);
    // Of a lower revision, and begun later: etcd was restored to the past.
    return seenMs !== undefined && other.begunMs > seenMs;
  });
  const found = base.revision > revision ? base : newer;
  if (found === undefined) return;
  throw new BackupToolError(
    "NOT_NEWEST",
    `${found.name} holds a later moment of etcd than revision ${revision}: a backup of that would be taken for the newest`,
    { hint: "merge up to a later revision; restore can write the database of an earlier one" },
  );
}
