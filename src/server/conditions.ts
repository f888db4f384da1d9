import { siteAlerts } from "../operations/status/site-alerts.js";
import { syncAlerts } from "../operations/status/sync-alerts.js";
import type { ServerOptions } from "../settings/server-options.js";
import { type ActiveAlert, type ServerStatus, SITES } from "./status.js";

/** Failures in a row of one kind of backup before an alert: the next try is soon. */
const FAILED_TRIES = 2;

/** Conditions of jobs that a person has to end; a failure that ends by itself is no alert. */
const OF_JOBS = [
  {
    job: "verify",
    name: "verification-failed",
    failures: 3,
    words: "stored data could not be read back, again and again",
  },
  {
    job: "retention",
    name: "retention-failed",
    failures: 3,
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
  { alerts, leader }: Pick<ServerOptions, "alerts" | "leader">,
  leaderlessMs: number,
): ActiveAlert[] {
  const { maxBackupAgeMs, maxSyncLagMs } = alerts;
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
  for (const { job, name, failures, words } of OF_JOBS) {
    const { failuresInARow, lastFailure } = status.jobs[job];
    if (failuresInARow < failures || lastFailure === undefined) continue;
    const { site, message, at: since } = lastFailure;
    const where = site === undefined ? {} : { site };
    found.push({ key: `${name}/${job}`, name, ...where, message: `${words}: ${message}`, since });
  }
  if (leaderlessMs > Math.max(LEADERLESS_MS, 4 * (leader?.ttlMs ?? 0))) {
    found.push({
      key: "no-leader",
      name: "no-leader",
      message: "no server leads, so no backup is made: is etcd reachable?",
      since: new Date(now.getTime() - leaderlessMs).toISOString(),
    });
  }
  if (status.sync?.refusal !== undefined) {
    found.push({
      key: "mirror-refused",
      name: "mirror-refused",
      site: "secondary",
      message:
        "snapshots that have gone from the primary store stay in the secondary, since they are too many or the newest; the log says which",
      since: status.now,
    });
  }
  found.push(...deltaAlerts(status, alerts.maxDeltaAgeMs, now));
  found.push(...syncAlerts(status.sync, { maxSyncLagMs, now }));
  return found;
}

function deltaAlerts({ deltas }: ServerStatus, maxAgeMs: number, now: Date): ActiveAlert[] {
  const found: ActiveAlert[] = [];
  for (const site of SITES) {
    const seconds = deltas.sites[site]?.oldestSeconds ?? 0;
    if (seconds * 1000 <= maxAgeMs) continue;
    found.push({
      key: `delta-lag/${site}`,
      name: "delta-lag",
      site,
      message: `the ${site} store lacks changes of etcd from ${Math.floor(seconds / 60)} minutes ago on (deltas: ${deltas.state})`,
      since: new Date(now.getTime() - seconds * 1000 + maxAgeMs).toISOString(),
    });
  }
  if (deltas.state === "denied") {
    found.push({
      key: "delta-lag/denied",
      name: "delta-lag",
      message:
        "the login to etcd may not read all keys, or is not root: changes of etcd are not stored",
      since: now.toISOString(),
    });
  }
  if (deltas.proof !== undefined && deltas.proof.outcome !== "proven") {
    const { at, message } = deltas.proof;
    found.push({ key: "delta-unproven", name: "delta-unproven", message, since: at });
  }
  return found;
}
