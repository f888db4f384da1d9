import {
  isFollower,
  judge,
  STORE_SITES,
  type StatusLag,
  type StatusReport,
} from "../../operations/status/report.js";
import type { DeltaStatus } from "../../operations/status/delta-status.js";
import type { SiteStatus } from "../../operations/status/site-status.js";
import { formatSize } from "../../size-text.js";
import type { EventLines } from "./event-lines.js";
import { ageText, counted } from "./quantities.js";

/** The lines of a status: each store, what a server adds, then what is wrong. */
export function statusLines(report: StatusReport): EventLines {
  const { sites, sync, deltas, leader, alerts } = report;
  const out: string[] = [];
  for (const site of STORE_SITES) {
    const status = sites[site];
    if (status === undefined) continue;
    out.push(`${site}: ${status.store}`);
    out.push(...siteRows(status).map(([name, value]) => `  ${`${name}:`.padEnd(19)} ${value}`));
  }
  if (sync?.enabled) out.push(`sync: ${lagText(sync.lag)}${sync.running ? ", running" : ""}`);
  if (deltas !== undefined && deltas.state !== "off") out.push(...deltaRows(deltas));
  if (leader !== undefined) out.push(`leader: ${leaderText(leader)}`);
  for (const { name, message, since } of alerts) {
    out.push(`ALERT ${name}: ${message} (since ${since})`);
  }
  if (judge(report) === "good") out.push("no alerts");
  if (isFollower(report)) {
    out.push(
      leader?.current === undefined
        ? "this server follows, and no leader is known: ask again, and check that a server makes backups"
        : "this server follows: the leader has the alerts",
    );
  }
  return { out };
}

function siteRows(status: SiteStatus): (readonly [string, string])[] {
  const { newestRestorable: newest, snapshots, verification, checkedAt, error } = status;
  const rows: (readonly [string, string])[] = [];
  if (status.breaker !== "closed") rows.push(["breaker", status.breaker]);
  if (!status.reachable) rows.push(["not reachable", error ?? "not listed yet"]);
  // Nothing is known of a store that was never listed.
  if (checkedAt === undefined) return rows;
  const { complete, unfinished, damaged, held } = snapshots;
  const counts = `${complete} complete, ${unfinished} unfinished, ${damaged} damaged, ${held} held`;
  rows.push(
    [
      "newest restorable",
      newest === undefined ? "none" : `${newest.snapshot}, ${ageText(newest.ageSeconds)} old`,
    ],
    ["newest full", status.newestFull ?? "none"],
    ["snapshots", `${counts}; ${formatSize(status.bytes)}`],
  );
  if (verification !== undefined) {
    const { lastAt = "never", coveredPercent, damagedFiles } = verification;
    const share = coveredPercent === undefined ? "" : `, ${coveredPercent.toFixed(0)}% read back`;
    const files = counted(damagedFiles, "damaged file", "damaged files");
    rows.push(["verified", `${lastAt}${share}, ${files}`]);
  }
  return rows;
}

/** What each store has of the changes of etcd. */
function deltaRows({ state, etcdRevision, sites }: DeltaStatus): string[] {
  const at = etcdRevision === undefined ? "" : `, etcd is at revision ${etcdRevision}`;
  const rows = STORE_SITES.flatMap((name) => {
    const site = sites[name];
    if (site === undefined) return [];
    const { durableRevision, oldestSeconds } = site;
    const durable =
      durableRevision === undefined
        ? "no raw snapshot"
        : `durable up to revision ${durableRevision}`;
    const age =
      oldestSeconds === 0
        ? ""
        : `, lacks changes from ${ageText(Math.floor(oldestSeconds))} ago on`;
    return [`  ${`${name}:`.padEnd(19)} ${durable}${age}`];
  });
  return [`deltas: ${state}${at}`, ...rows];
}

function lagText(lag: StatusLag | undefined): string {
  if (lag === undefined) return "what the secondary lacks is not known yet";
  const { snapshots, deltas = 0, bytes, seconds } = lag;
  if (snapshots === 0 && deltas === 0) return "in step";
  const missing = [
    ...(snapshots > 0 ? [counted(snapshots, "snapshot", "snapshots")] : []),
    ...(deltas > 0 ? [counted(deltas, "delta", "deltas")] : []),
  ];
  const lacks = `the secondary lacks ${missing.join(" and ")}`;
  return `${lacks}, ${formatSize(bytes)}, the oldest of ${ageText(Math.floor(seconds))} ago`;
}

function leaderText({ election, isLeader, current }: NonNullable<StatusReport["leader"]>): string {
  if (!election) return "this server, without election";
  if (isLeader) return "this server";
  if (current === undefined) return "not known to this server";
  return current.url === undefined ? current.identity : `${current.identity} at ${current.url}`;
}
