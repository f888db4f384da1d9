import type { BackupCounts } from "../archive/metadata.js";

/** Counts that grow while a backup is made. */
export type RunningCounts = { -readonly [K in keyof BackupCounts]: BackupCounts[K] };

export function newCounts(): RunningCounts {
  return {
    objects: 0,
    objectBytes: 0,
    unchangedObjects: 0,
    deletedObjects: 0,
    vanishedObjects: 0,
    missingObjects: 0,
    records: 0,
    unchangedKeys: 0,
    deletedKeys: 0,
  };
}
