import type { StoredSnapshot } from "../../snapshots/catalog.js";
import type { StreamLack } from "../../snapshots/streams/stream-difference.js";

/** What the target of a sync lacks. */
export interface SyncLag {
  readonly snapshots: number;
  /** Deltas of etcd's streams. */
  readonly deltas: number;
  readonly bytes: number;
  /** Since the oldest of them was finished, or seen; 0 without one. */
  readonly seconds: number;
  /** When the oldest of them was finished, or seen, RFC 3339. */
  readonly since?: string;
}

/**
 * @param lacking complete snapshots of the source
 * @param streams what the target lacks of each stream of the source
 */
export function lagOf(
  lacking: readonly StoredSnapshot[],
  now: Date,
  streams: readonly StreamLack[] = [],
): SyncLag {
  let bytes = 0;
  let deltas = 0;
  let since: string | undefined;
  for (const lack of streams) {
    bytes += lack.bytes;
    deltas += lack.deltas;
    const seen = lack.since === undefined ? undefined : timeOf(lack.since);
    if (seen !== undefined && (since === undefined || seen < since)) since = seen;
  }
  for (const { facts } of lacking) {
    if (facts === undefined) continue;
    bytes += facts.bytes;
    // The form of the times is checked: UTC with milliseconds, so text is in the order of time.
    if (since === undefined || facts.finishedAt < since) since = facts.finishedAt;
  }
  // A clock may have been ahead when the backup was made.
  const ageMs = since === undefined ? 0 : Math.max(0, now.getTime() - Date.parse(since));
  const seconds = Math.floor(ageMs / 1000);
  const snapshots = lacking.length;
  return { snapshots, deltas, bytes, seconds, ...(since !== undefined && { since }) };
}

/** Undefined for a time that no date has: the name of a file in a hostile store may have any number. */
function timeOf(seconds: number): string | undefined {
  const date = new Date(seconds * 1000);
  const text = Number.isNaN(date.getTime()) ? "" : date.toISOString();
  // Later years have another form.
  return text.length === 24 ? text : undefined;
}
