import { isFollower, STORE_SITES, type StatusReport } from "./report.js";
import { siteAlerts } from "./site-alerts.js";
import { syncAlerts } from "./sync-alerts.js";

/** When to alert; undefined: as the report says. */
export interface StatusLimits {
  /** Age of the newest restorable backup of a store, ms. */
  readonly maxAgeMs?: number | undefined;
  /** For how long the secondary lacks a backup, ms. */
  readonly maxSyncLagMs?: number | undefined;
}

/**
 * The report with alerts by these limits. What a server that leads says of other conditions stays as it is; one that
 * follows alerts of nothing, and its stores are as old all the same.
 */
export function withLimits(
  report: StatusReport,
  { maxAgeMs, maxSyncLagMs }: StatusLimits,
): StatusReport {
  const now = new Date(report.now);
  const isJudged = report.leader !== undefined && !isFollower(report);
  const ofStores = STORE_SITES.flatMap((site) => {
    const status = report.sites[site];
    return status === undefined ? [] : siteAlerts(site, status, { maxAgeMs, now });
  }).filter(({ name }) => (name === "backup-too-old" ? maxAgeMs !== undefined : !isJudged));
  const lag = maxSyncLagMs === undefined ? [] : syncAlerts(report.sync, { maxSyncLagMs, now });
  const others = report.alerts.filter(
    ({ name }) =>
      (name !== "backup-too-old" || maxAgeMs === undefined) &&
      (name !== "sync-lag" || maxSyncLagMs === undefined),
  );
  return { ...report, alerts: [...ofStores, ...lag, ...others] };
}

/** As {@link withLimits}; a server that follows has no alerts, so there the defaults are used for what is not given. */
export function withServerLimits(
  report: StatusReport,
  { maxAgeMs, maxSyncLagMs }: StatusLimits,
  defaults: Required<StatusLimits>,
): StatusReport {
  const follows = isFollower(report);
  const limits = {
    maxAgeMs: maxAgeMs ?? (follows ? defaults.maxAgeMs : undefined),
    maxSyncLagMs: maxSyncLagMs ?? (follows ? defaults.maxSyncLagMs : undefined),
  };
  return withLimits(report, limits);
}
