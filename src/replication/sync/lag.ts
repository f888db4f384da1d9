import type { StoredSnapshot } from "../../snapshots/catalog.js";

/** What the target of a sync lacks. */
export interface SyncLag {
  readonly snapshots: number;
  readonly bytes: number;
  /** Since the oldest of them was finished; 0 without one. */
  readonly seconds: number;
  /** When the oldest of them was finished, RFC 3339. */
  readonly since?: string;
}

/** @param lacking complete snapshots of the source */
export function lagOf(lacking: readonly StoredSnapshot[], now: Date): SyncLag {
  let bytes = 0;
  let since: string | undefined;
  for (const { facts } of lacking) {
    if (facts === undefined) continue;
    bytes += facts.bytes;
    // The form of the times is checked: UTC with milliseconds, so text is in the order of time.
    if (since === undefined || facts.finishedAt < since) since = facts.finishedAt;
  }
  // A clock may have been ahead when the backup was made.
  const ageMs = since === undefined ? 0 : Math.max(0, now.getTime() - Date.parse(since));
  const seconds = Math.floor(ageMs / 1000);
  return { snapshots: lacking.length, bytes, seconds, ...(since !== undefined && { since }) };
}
