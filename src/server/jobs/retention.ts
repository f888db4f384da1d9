import type { StoreContext } from "../../operations/context.js";
import type { OperationEvent } from "../../operations/events.js";
import { pruneStore } from "../../operations/snapshots/retention.js";
import { pruneLeftOvers } from "../../operations/snapshots/prune.js";
import type { ServerOptions } from "../../settings/server-options.js";
import { atSite } from "../site-failure.js";
import type { Site } from "../site.js";
import type { JobOutcome } from "./job.js";

/** A run may have been writing to an unfinished snapshot until this long ago, ms. */
const IN_PROGRESS_MS = 24 * 3600_000;

/** Deletes on each site what its retention does not keep. Throws what the first site that failed throws, at the end. */
export async function runRetention(
  sites: readonly Site[],
  { policy, timeZone, waitMs }: ServerOptions["retention"] & { readonly waitMs: number },
  context: StoreContext,
  onEvent: (site: Site, event: OperationEvent) => void,
): Promise<JobOutcome> {
  const errors: unknown[] = [];
  for (const site of sites) {
    const ofSite = {
      ...context,
      report: (event: OperationEvent) => {
        context.report(event);
        onEvent(site, event);
      },
    };
    try {
      await site.run(async () => {
        const now = new Date();
        const inProgressSince = new Date(now.getTime() - IN_PROGRESS_MS);
        const list = (signal: AbortSignal) => site.catalog.list(signal);
        const common = { dryRun: false, list };
        await pruneStore(
          site.store,
          { ...common, policy, timeZone, now, inProgressSince, waitMs },
          ofSite,
        );
        await pruneLeftOvers(site.store, { ...common, olderThan: inProgressSince }, ofSite);
      });
    } catch (error) {
      errors.push(atSite(site.name, error));
    }
  }
  if (errors.length > 0) throw errors[0];
  return {};
}
