import type { ReportedAlert, StatusReport } from "./report.js";

/** The condition that the secondary has lacked a backup for too long. */
export function syncAlerts(
  sync: StatusReport["sync"],
  { maxSyncLagMs, now }: { readonly maxSyncLagMs: number; readonly now: Date },
): (ReportedAlert & { readonly name: "sync-lag"; readonly site: "secondary" })[] {
  const lag = sync?.enabled ? sync.lag : undefined;
  if (lag === undefined || lag.seconds * 1000 <= maxSyncLagMs) return [];
  const { snapshots, seconds } = lag;
  return [
    {
      key: "sync-lag",
      name: "sync-lag",
      site: "secondary",
      message: `the secondary store lacks ${snapshots === 1 ? "a backup" : `${snapshots} backups`}, for ${Math.floor(seconds / 60)} minutes`,
      since: new Date(now.getTime() - seconds * 1000 + maxSyncLagMs).toISOString(),
    },
  ];
}
