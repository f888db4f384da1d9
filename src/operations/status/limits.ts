import { STORE_SITES, type StatusReport } from "./report.js";
import { siteAlerts } from "./site-alerts.js";
import { syncAlerts } from "./sync-alerts.js";

/** When to alert; undefined: as the report says. */
export interface StatusLimits {
  /** Age of the newest restorable backup of a store, ms. */
  readonly maxAgeMs?: number | undefined;
  /** For how long the secondary lacks a backup, ms. */
  readonly maxSyncLagMs?: number | undefined;
}

/** The report with alerts by these limits. What a server says of other conditions stays as it is. */
export function withLimits(
  report: StatusReport,
  { maxAgeMs, maxSyncLagMs }: StatusLimits,
): StatusReport {
  const now = new Date(report.now);
  const ofServer = report.leader !== undefined;
  const ofStores = STORE_SITES.flatMap((site) => {
    const status = report.sites[site];
    return status === undefined ? [] : siteAlerts(site, status, { maxAgeMs, now });
  }).filter(({ name }) => (name === "backup-too-old" ? maxAgeMs !== undefined : !ofServer));
  const lag = maxSyncLagMs === undefined ? [] : syncAlerts(report.sync, { maxSyncLagMs, now });
  const others = report.alerts.filter(
    ({ name }) =>
      (name !== "backup-too-old" || maxAgeMs === undefined) &&
      (name !== "sync-lag" || maxSyncLagMs === undefined),
  );
  return { ...report, alerts: [...ofStores, ...lag, ...others] };
}
