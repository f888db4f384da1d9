import { siteAlerts } from "../operations/status/site-alerts.js";
import type { AlertOptions } from "../settings/server-options.js";
import { type ActiveAlert, type ServerStatus, SITES } from "./status.js";

/** Failures in a row of one kind of backup before an alert: the next try is soon. */
const FAILED_TRIES = 2;

/** Failures in a row of reading back. */
const FAILED_READS = 3;
/** A change of leader takes no longer, ms. */
const LEADERLESS_MS = 5 * 60_000;

/**
 * What an operator has to know now, by the status of a server.
 *
 * @param leaderlessMs for how long no leader is known
 */
export function conditionsOf(
  status: ServerStatus,
  { maxBackupAgeMs, maxSyncLagMs }: AlertOptions,
  leaderlessMs: number,
): ActiveAlert[] {
  const now = new Date(status.now);
  const emptySince = status.startedAt === undefined ? undefined : new Date(status.startedAt);
  const found: ActiveAlert[] = SITES.flatMap((name) => {
    const site = status.sites[name];
    const limits = { maxAgeMs: maxBackupAgeMs, emptySince, now };
    return site === undefined ? [] : siteAlerts(name, site, limits);
  });
  for (const kind of ["full", "incremental"] as const) {
    const { failuresInARow, lastFailure } = status.jobs[kind];
    if (failuresInARow < FAILED_TRIES || lastFailure === undefined) continue;
    found.push({
      key: `backup-failed/${kind}`,
      name: "backup-failed",
      message: `${failuresInARow} ${kind} backups in a row failed: ${lastFailure.message}`,
      since: lastFailure.at,
    });
  }
  const { failuresInARow: unread, lastFailure: reading } = status.jobs.verify;
  if (unread >= FAILED_READS && reading !== undefined) {
    found.push({
      key: "verification-failed/run",
      name: "verification-failed",
      ...(reading.site !== undefined && { site: reading.site }),
      message: `stored data could not be read back ${unread} times in a row: ${reading.message}`,
      since: reading.at,
    });
  }
  if (leaderlessMs > LEADERLESS_MS) {
    found.push({
      key: "no-leader",
      name: "no-leader",
      message: "no server leads, so no backup is made: is etcd reachable?",
      since: new Date(now.getTime() - leaderlessMs).toISOString(),
    });
  }
  const { sync } = status;
  if (sync?.lag !== undefined && sync.lag.seconds * 1000 > maxSyncLagMs) {
    const { snapshots, seconds } = sync.lag;
    found.push({
      key: "sync-lag",
      name: "sync-lag",
      site: "secondary",
      message: `the secondary store lacks ${snapshots === 1 ? "a backup" : `${snapshots} backups`}, for ${Math.floor(seconds / 60)} minutes`,
      since: new Date(now.getTime() - seconds * 1000 + maxSyncLagMs).toISOString(),
    });
  }
  return found;
}
