import { BackupToolError } from "../../errors.js";
import type { SecondLook } from "../../snapshots/control/delete-planned.js";
import type { Decision } from "../../snapshots/retention/decide.js";
import { costlyPause } from "../../snapshots/retention/pauses.js";
import type { SnapStore } from "../../snapstore/store.js";
import type { DecisionOptions } from "./store-decisions.js";

const HOUR_MS = 3_600_000;
/** The clocks of this machine and of a store may differ by as much, ms. */
const CLOCK_TOLERANCE_MS = HOUR_MS;

/** Throws CLOCK_WRONG if the clocks of this machine and of a store differ: one of them would make snapshots too old. */
export function checkClocks(
  store: SnapStore,
  { machineTime, storeTime }: Pick<SecondLook, "machineTime" | "storeTime">,
): void {
  const ahead = machineTime.getTime() - storeTime.getTime();
  if (Math.abs(ahead) <= CLOCK_TOLERANCE_MS) return;
  const hours = (Math.abs(ahead) / HOUR_MS).toFixed(1);
  throw new BackupToolError(
    "CLOCK_WRONG",
    `the clock of this machine is ${hours} hours ${ahead > 0 ? "ahead of" : "behind"} that of ${store.name}: no snapshot was deleted`,
    { hint: "set the wrong one of the two clocks, by a time service, and run retention again" },
  );
}

/** The error RETENTION_PAUSED for a pause between backups that makes most older snapshots go; undefined without one. */
export function pauseError(
  store: SnapStore,
  decisions: readonly Decision[],
  { policy, now, timeZone }: Pick<DecisionOptions, "policy" | "now" | "timeZone">,
): BackupToolError | undefined {
  const pause = costlyPause(decisions, policy, now, timeZone);
  if (pause === undefined) return undefined;
  const { before, after, stays, lost } = pause;
  return new BackupToolError(
    "RETENTION_PAUSED",
    `in ${store.name}, ${lost} of the ${stays} snapshots up to ${before} would go only because the next one, ${after}, is so much later`,
    {
      hint: "if the clock was wrong then, set it and delete what it named; if there was no backup for so long, look at a dry run of prune, and prune by hand at a terminal",
    },
  );
}
