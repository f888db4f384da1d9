import type { StoreContext } from "../../operations/context.js";
import { pruneStore } from "../../operations/snapshots/retention.js";
import { pruneLeftOvers } from "../../operations/snapshots/prune.js";
import type { ServerOptions } from "../../settings/server-options.js";
import type { Site } from "../site.js";
import type { JobOutcome } from "./job.js";

/** A run may have been writing to an unfinished snapshot until this long ago, ms. */
const IN_PROGRESS_MS = 24 * 3600_000;

/** Deletes on each site what its retention does not keep. Throws what the first site that failed throws, at the end. */
export async function runRetention(
  sites: readonly Site[],
  { policy, timeZone, waitMs }: ServerOptions["retention"] & { readonly waitMs: number },
  context: StoreContext,
): Promise<JobOutcome> {
  const errors: unknown[] = [];
  for (const site of sites) {
    try {
      await site.run(async () => {
        const now = new Date();
        const inProgressSince = new Date(now.getTime() - IN_PROGRESS_MS);
        const list = (signal: AbortSignal) => site.catalog.list(signal);
        const common = { dryRun: false, list };
        await pruneStore(
          site.store,
          { ...common, policy, timeZone, now, inProgressSince, waitMs },
          context,
        );
        await pruneLeftOvers(site.store, { ...common, olderThan: inProgressSince }, context);
      });
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw errors[0];
  return {};
}
