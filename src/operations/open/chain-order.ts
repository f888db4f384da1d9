import type { BackupReader } from "../../archive/backup-reader.js";
import { ArchiveError } from "../../archive/errors.js";
import { UsageError } from "../../errors.js";

/** Orders the bases of `backup`, its own base first. Throws UsageError when one is missing, DOES_NOT_BELONG. */
export function orderBases(
  backup: BackupReader,
  others: readonly BackupReader[],
): readonly BackupReader[] {
  const bases: BackupReader[] = [];
  if (others.length === 0) return bases;
  const left = new Set(others);
  for (let at = backup; at.metadata.base !== null; ) {
    const base = others.find((other) => other.metadata.id === at.metadata.base);
    if (base === undefined) {
      throw new UsageError(
        `the backup ${at.where} is based on ${at.metadata.base}, which is not named`,
        { hint: "name every backup of the chain down to the full one", settings: ["with-base"] },
      );
    }
    left.delete(base);
    bases.push(base);
    at = base;
  }
  for (const other of left) {
    throw new ArchiveError(
      "DOES_NOT_BELONG",
      `the backup in ${other.where} is not a base of ${backup.where}`,
    );
  }
  return bases;
}
