import { BackupToolError } from "../../errors.js";
import type { StoreContext } from "../../operations/context.js";
import { scrubStore, type ScrubResult } from "../../operations/snapshots/scrub.js";
import type { ReadSelection } from "../../snapshots/read-selection.js";
import { atSite } from "../site-failure.js";
import type { Site } from "../site.js";
import type { JobOutcome } from "./job.js";

/**
 * Reads back a part of the data of each site. Throws VERIFICATION_FAILED for damaged files, at the end; or what the
 * first site that cannot be read throws, after the others.
 */
export async function runVerify(
  sites: readonly Site[],
  part: ReadSelection,
  context: StoreContext,
  onScrubbed: (site: Site, result: ScrubResult) => void,
): Promise<JobOutcome> {
  let bytes = 0;
  let damaged = 0;
  const errors: unknown[] = [];
  for (const site of sites) {
    try {
      const result = await site.run(async () => {
        const { snapshots, streams } = await site.catalog.listAll(context.signal);
        return scrubStore(site.store, snapshots, part, context, streams);
      });
      bytes += result.bytesRead;
      damaged += result.damagedFiles;
      onScrubbed(site, result);
    } catch (error) {
      errors.push(atSite(site.name, error));
    }
  }
  if (errors.length > 0) throw errors[0];
  if (damaged > 0) {
    throw new BackupToolError(
      "VERIFICATION_FAILED",
      `${damaged} stored files are damaged; the log names them`,
      { hint: "copy the snapshots from the other store, or make a full backup" },
    );
  }
  return { bytes };
}
