import { siteAlerts } from "../operations/status/site-alerts.js";
import { syncAlerts } from "../operations/status/sync-alerts.js";
import type { AlertOptions } from "../settings/server-options.js";
import { type ActiveAlert, type ServerStatus, SITES } from "./status.js";

/** Failures in a row of one kind of backup before an alert: the next try is soon. */
const FAILED_TRIES = 2;

/** Conditions of jobs that a person has to end; a failure that ends by itself is no alert. */
const OF_JOBS = [
  {
    job: "verify",
    name: "verification-failed",
    failures: 3,
    code: undefined,
    words: "stored data could not be read back, again and again",
  },
  {
    job: "sync",
    name: "mirror-refused",
    failures: 1,
    code: "MIRROR_REFUSED",
    words: "the secondary keeps what it has",
  },
  {
    job: "retention",
    name: "retention-failed",
    failures: 3,
    code: undefined,
    words: "retention has failed again and again",
  },
] as const;
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
  for (const { job, name, failures, code, words } of OF_JOBS) {
    const { failuresInARow, lastFailure } = status.jobs[job];
    if (failuresInARow < failures || lastFailure === undefined) continue;
    if (code !== undefined && lastFailure.code !== code) continue;
    const { site, message, at: since } = lastFailure;
    const where = site === undefined ? {} : { site };
    found.push({ key: `${name}/${job}`, name, ...where, message: `${words}: ${message}`, since });
  }
  if (leaderlessMs > LEADERLESS_MS) {
    found.push({
      key: "no-leader",
      name: "no-leader",
      message: "no server leads, so no backup is made: is etcd reachable?",
      since: new Date(now.getTime() - leaderlessMs).toISOString(),
    });
  }
  found.push(...syncAlerts(status.sync, { maxSyncLagMs, now }));
  return found;
}
