import { type BackupCounts, NO_COUNTS } from "../../archive/metadata.js";

/** Counts that grow while a backup is made. */
export type RunningCounts = { -readonly [K in keyof BackupCounts]: BackupCounts[K] };

export function newCounts(): RunningCounts {
  return { ...NO_COUNTS };
}
