import type { SiteStatus } from "./site-status.js";

/** Something about one store that its operator has to know. */
export interface SiteAlert {
  /** The same for the same condition, so that it is alerted once. */
  readonly key: string;
  readonly name: "backup-too-old" | "verification-failed" | "breaker-open";
  readonly site: "primary" | "secondary";
  readonly message: string;
  /** RFC 3339. */
  readonly since: string;
}

export interface SiteLimits {
  /** Of the newest restorable snapshot, ms; without it no age is too high. */
  readonly maxAgeMs?: number | undefined;
  /** In an empty store the age counts from then: a first backup needs its time. */
  readonly emptySince?: Date | undefined;
  readonly now: Date;
}

/** The conditions that hold at one store. */
export function siteAlerts(
  site: SiteAlert["site"],
  status: SiteStatus,
  limits: SiteLimits,
): SiteAlert[] {
  const { now } = limits;
  const alert = (name: SiteAlert["name"], message: string, since = now): SiteAlert => ({
    key: `${name}/${site}`,
    name,
    site,
    message,
    since: since.toISOString(),
  });
  const alerts: SiteAlert[] = [];
  const old = tooOld(status, limits);
  if (old !== undefined) alerts.push(alert("backup-too-old", old.message, old.since));
  const damage = damageOf(status);
  if (damage !== undefined) alerts.push(alert("verification-failed", damage));
  if (status.breaker !== "closed") {
    const why = status.error === undefined ? "" : `: ${status.error}`;
    alerts.push(alert("breaker-open", `${status.store} is not used for now, after failures${why}`));
  }
  return alerts;
}

function tooOld(
  status: SiteStatus,
  { maxAgeMs, emptySince, now }: SiteLimits,
): { message: string; since?: Date } | undefined {
  const { newestRestorable: newest, store, snapshots, checkedAt } = status;
  // A store that was never listed may have any backup.
  if (checkedAt === undefined) return undefined;
  if (newest === undefined) {
    const { complete, unfinished, damaged } = snapshots;
    const empty = complete + unfinished + damaged === 0;
    if (empty && emptySince !== undefined) {
      const waited = now.getTime() - emptySince.getTime();
      if (waited <= (maxAgeMs ?? Number.POSITIVE_INFINITY)) return undefined;
    }
    return { message: `${store} has no backup that can be restored` };
  }
  const over = newest.ageSeconds * 1000 - (maxAgeMs ?? Number.POSITIVE_INFINITY);
  if (over <= 0) return undefined;
  return {
    message: `the newest restorable backup in ${store} is ${ageInWords(newest.ageSeconds)} old: ${newest.snapshot}`,
    since: new Date(now.getTime() - over),
  };
}

function damageOf({ store, snapshots, verification, timeline }: SiteStatus): string | undefined {
  const files = verification?.damagedFiles ?? 0;
  if (files > 0) return `${store} has ${files} damaged ${files === 1 ? "file" : "files"}`;
  if (snapshots.damaged === 0) return undefined;
  const newest = timeline.find(({ state }) => state === "damaged");
  const which = newest === undefined ? "" : `, the newest of them ${newest.name}`;
  const what = snapshots.damaged === 1 ? "snapshot" : "snapshots";
  return `${store} has ${snapshots.damaged} damaged ${what}${which}`;
}

function ageInWords(seconds: number): string {
  if (seconds < 120) return `${seconds} seconds`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} minutes`;
  return `${Math.floor(seconds / 3600)} hours`;
}
