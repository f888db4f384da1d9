import type { Schedules } from "../../settings/server-options.js";
import type { StoredSnapshot } from "../../snapshots/catalog.js";
import { credibleTime } from "../../snapshots/credible-time.js";
import { Schedule } from "../schedule.js";

/** Longest wait after failures in a row, ms. */
const LONGEST_RETRY_MS = 15 * 60_000;

/** Times of the newest complete backups of a store. */
export interface NewestBackups {
  readonly full: Date | undefined;
  /** Of either kind. */
  readonly any: Date | undefined;
}

/** Those with a time in the future do not count: a clock was ahead, and no backup would be due until then. */
export function newestBackups(snapshots: readonly StoredSnapshot[], now: Date): NewestBackups {
  const complete = snapshots.filter(({ state }) => state === "complete");
  const fulls = complete.filter(({ name }) => name.kind === "full");
  return { full: newestTime(fulls, now), any: newestTime(complete, now) };
}

/**
 * When a backup is due, by its schedule and what the store holds: a run that was missed while no server ran is made up
 * once. An incremental has no time before the first full backup, which is due at once. Undefined: never.
 */
export function backupDueAt(
  kind: "full" | "incremental",
  schedules: Pick<Schedules, "full" | "incremental" | "timeZone">,
  newest: NewestBackups,
  now: Date,
): Date | undefined {
  const { full, incremental, timeZone } = schedules;
  if (newest.full === undefined || newest.any === undefined) {
    const isOn = full !== undefined || incremental !== undefined;
    return kind === "full" && isOn ? now : undefined;
  }
  // A full backup makes the incremental of the same time unnecessary.
  const last = kind === "full" ? newest.full : newest.any;
  return new Schedule(schedules[kind], timeZone).dueAfter(last, now);
}

/** The wait before another try, ms. Jitter keeps servers that failed together apart. */
export function retryDelay(
  firstMs: number,
  failures: number,
  random: () => number = Math.random,
): number {
  const limit = Math.min(Math.max(firstMs, LONGEST_RETRY_MS), firstMs * 2 ** (failures - 1));
  return limit * (0.75 + 0.25 * random());
}

function newestTime(snapshots: readonly StoredSnapshot[], now: Date): Date | undefined {
  let newest: number | undefined;
  for (const snapshot of snapshots) {
    const time = credibleTime(snapshot, now.getTime());
    if (time !== undefined && time > (newest ?? -1)) newest = time;
  }
  return newest === undefined ? undefined : new Date(newest);
}
