import type { Deletion } from "../../operations/snapshots/retention.js";
import { chosenStore } from "../../settings/backup-location.js";
import { age } from "../../settings/kinds.js";
import { retentionPolicy, retentionSettings } from "../../settings/retention.js";
import { timeZoneSettings } from "../../settings/time-zone.js";
import { formatSize } from "../../size-text.js";
import { command } from "../command.js";
import { ExitCode } from "../exit-codes.js";
import { eitherStoreGroups } from "../flag-groups.js";
import { approveDeletion, asksFirst, deletionFlags } from "../input/approval.js";

/** Deletions that a question lists one by one. */
const MAX_LISTED = 50;

export const prune = command({
  groups: {
    "What to delete": deletionFlags,
    "What to keep": {
      ...retentionSettings,
      ...timeZoneSettings,
      "grace-period": {
        ...age,
        default: "24h",
        describe:
          "Keep what an unfinished backup may be based on, if it was written to this recently",
      },
    },
    ...eitherStoreGroups,
  },
  examples: [
    ["$0 prune --store s3://bucket/prefix --dry-run", "what would go, and why the rest stays"],
    [
      "$0 prune --store s3://bucket/prefix --garbage-collection-policy LimitBased --max-backups 14 --yes",
      "from a script: the newest 14 full backups stay",
    ],
    [
      "$0 prune --secondary-store file:///mnt/backups --from secondary --garbage-collection-policy Keep --keep-daily 7 --keep-weekly 5 --keep-monthly 12 --dry-run",
      "one for each day, week and month in the secondary store",
    ],
  ],
  async run(args, session) {
    const { pruneStored } = await import("../../operations/snapshots/retention.js");
    const policy = retentionPolicy(args);
    const asks = asksFirst("prune", args, session);
    const now = new Date();
    const { failed } = await pruneStored(
      {
        store: chosenStore(args, session),
        policy,
        timeZone: args["schedule-time-zone"],
        streamPeriodMs: args["delta-snapshot-retention-period"],
        now,
        inProgressSince: new Date(now.getTime() - args["grace-period"]),
        dryRun: args["dry-run"] === true,
        // Timers too have to pass --yes.
        attended: session.terminal.stdin.isTTY,
        approve: asks
          ? (deletions, store) => approveDeletion(planLines(deletions, store), session)
          : undefined,
      },
      session,
    );
    return failed === 0 ? ExitCode.done : ExitCode.incomplete;
  },
});

function planLines(deletions: readonly Deletion[], store: string): string[] {
  const lines = deletions
    .slice(0, MAX_LISTED)
    .map(({ snapshot, bytes }) => `${snapshot} (${formatSize(bytes)}) in ${store}`);
  const left = deletions.slice(MAX_LISTED);
  const bytes = left.reduce((sum, one) => sum + one.bytes, 0);
  return left.length === 0 ? lines : [...lines, `and ${left.length} more (${formatSize(bytes)})`];
}
