import type { StoreFacts } from "../../snapstore/store.js";
import type { AreaChecks } from "./check.js";

/** Well below the 15 minutes at which S3 rejects requests: snapshots are named after the time. */
const MUCH_MS = 60_000;

/** @param aheadMs how far the clock of the store is ahead; undefined where it is not known */
export function checkClock(
  checks: AreaChecks,
  aheadMs: number | undefined,
  provider: string,
): void {
  if (aheadMs === undefined) {
    const what = provider === "Local" ? "a folder" : "this store";
    checks.skipped("clock", `${what} does not tell the time of a server`);
    return;
  }
  const seconds = Math.round(Math.abs(aheadMs) / 1000);
  if (Math.abs(aheadMs) < MUCH_MS) {
    checks.ok("clock", seconds <= 1 ? "the same as here" : `${seconds} s off`);
    return;
  }
  const which = aheadMs > 0 ? "ahead of" : "behind";
  checks.warning(
    "clock",
    `the store's is ${seconds} s ${which} this machine's`,
    "set this machine's clock, best by NTP; some stores reject requests that are 15 minutes off",
  );
}

export function checkVersioning(checks: AreaChecks, { versioning, unreported }: StoreFacts): void {
  if (versioning === undefined) {
    checks.skipped("versioning", unreported?.versioning ?? "the store does not say");
  } else if (versioning === "on") {
    checks.ok(
      "versioning",
      "on: what is deleted keeps its room until a lifecycle rule of the bucket removes old versions",
    );
  } else checks.ok("versioning", versioning);
}

export function checkLock(checks: AreaChecks, { objectLock, unreported }: StoreFacts): void {
  if (objectLock === undefined) {
    checks.skipped("object lock", unreported?.objectLock ?? "the store does not say");
    return;
  }
  const { enabled, everyObject } = objectLock;
  if (everyObject === undefined)
    checks.ok("object lock", enabled ? "on, without a default" : "off");
  else {
    const { mode, days } = everyObject;
    checks.ok("object lock", `on: every new object is locked for ${days} days (${mode})`);
  }
}
