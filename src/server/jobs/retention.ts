import { BackupToolError } from "../../errors.js";
import type { StoreContext } from "../../operations/context.js";
import type { OperationEvent } from "../../operations/events.js";
import { pruneLeftOvers } from "../../operations/snapshots/prune.js";
import { pruneStore } from "../../operations/snapshots/retention.js";
import { keepReserve } from "../../snapshots/control/reserve.js";
import type { ServerOptions } from "../../settings/server-options.js";
import { REJECTED_DELETIONS } from "../../snapshots/delete.js";
import type { Site } from "../site.js";
import { atSite } from "../site-failure.js";
import type { JobOutcome } from "./job.js";

/** A run may have been writing to an unfinished snapshot until this long ago, ms. */
const IN_PROGRESS_MS = 24 * 3600_000;

type RetentionRules = ServerOptions["retention"] & {
  /** Whether the rules apply to a site; what interrupted runs left is removed from each. */
  hasRules(site: Site): boolean;
  readonly waitMs: number;
};

/**
 * Deletes on each site what its retention does not keep. Throws what the first site that failed throws, at the end;
 * RETENTION_INCOMPLETE where snapshots could not be deleted.
 */
export async function runRetention(
  sites: readonly Site[],
  rules: RetentionRules,
  context: StoreContext,
  onEvent: (site: Site, event: OperationEvent) => void,
): Promise<JobOutcome> {
  const errors: unknown[] = [];
  for (const site of sites) {
    let failed = 0;
    const report = (event: OperationEvent): void => {
      context.report(event);
      onEvent(site, event);
      // One that is held, locked or another program's is kept on purpose.
      if (event.type === "snapshot-not-deleted" && !REJECTED_DELETIONS.has(event.code)) failed++;
    };
    try {
      await site.run(() => cleanUp(site, rules, { ...context, report }));
      if (failed > 0) {
        throw new BackupToolError(
          "RETENTION_INCOMPLETE",
          `${failed} snapshots could not be deleted in ${site.label}; the log names them`,
        );
      }
    } catch (error) {
      errors.push(atSite(site.name, error));
    }
  }
  if (errors.length > 0) throw errors[0];
  return {};
}

/** Left-overs first: they may be what fills the store. */
async function cleanUp(site: Site, rules: RetentionRules, context: StoreContext): Promise<void> {
  const { policy, timeZone, streamPeriodMs, waitMs } = rules;
  const now = new Date();
  const inProgressSince = new Date(now.getTime() - IN_PROGRESS_MS);
  const list = (signal: AbortSignal) => site.catalog.outline(signal);
  const common = { dryRun: false, list };
  await pruneLeftOvers(site.store, { ...common, olderThan: inProgressSince }, context);
  await keepReserve(site.store, context.signal);
  if (!rules.hasRules(site)) return;
  const options = { ...common, policy, timeZone, streamPeriodMs, now, inProgressSince, waitMs };
  await pruneStore(site.store, options, context);
}
