import { keptNames } from "../operations/snapshots/retention.js";
import { lagOf } from "../replication/sync/lag.js";
import { lackingOf, planSync, type SyncPlan } from "../replication/sync/sync-plan.js";
import type { ServerOptions } from "../settings/server-options.js";
import { lackOf } from "../snapshots/streams/stream-difference.js";
import type { SiteListing } from "./site.js";
import type { Sites } from "./sites.js";
import type { SyncLag } from "./status.js";

/**
 * What the secondary lacks, by the last listings: also while it is down, and between two runs of the sync. Of a
 * secondary that was never listed only what was made since the server started is known to be missing.
 */
export class LagView {
  readonly #sites: Sites;
  readonly #options: () => ServerOptions;
  readonly #startedAt = Date.now();
  #primary: SiteListing | undefined;
  #secondary: SiteListing | undefined;
  #lacking: Parameters<typeof lagOf>[0] = [];
  #streams: Parameters<typeof lagOf>[2] = [];

  constructor(sites: Sites, options: () => ServerOptions) {
    this.#sites = sites;
    this.#options = options;
  }

  /** Undefined until the primary was listed. */
  lag(now: Date): SyncLag | undefined {
    const { primary, secondary } = this.#sites;
    if (primary.listing === undefined) return undefined;
    if (primary.listing !== this.#primary || secondary?.listing !== this.#secondary) {
      this.#primary = primary.listing;
      this.#secondary = secondary?.listing;
      this.#compare(now);
    }
    return lagOf(this.#lacking, now, this.#streams);
  }

  #compare(now: Date): void {
    const { snapshots: source, streams } = this.#primary ?? { snapshots: [], streams: [] };
    if (this.#secondary === undefined) {
      const isNew = (seconds: number): boolean => seconds * 1000 >= this.#startedAt;
      this.#lacking = source.filter(({ state, name }) => state === "complete" && isNew(name.time));
      this.#streams = streams
        .filter(({ name }) => isNew(name.time))
        .map((one) => lackOf(one, undefined));
      return;
    }
    const plan = this.#plan(source, streams, this.#secondary, now);
    this.#lacking = lackingOf(plan);
    this.#streams = plan.streams.map(({ lack }) => lack);
  }

  #plan(
    source: SiteListing["snapshots"],
    streams: SiteListing["streams"],
    secondary: SiteListing,
    now: Date,
  ): SyncPlan {
    const { sync, retention } = this.#options();
    return planSync({
      source,
      target: secondary.snapshots,
      streams: { source: streams, target: secondary.streams },
      held: secondary.holds,
      wanted:
        sync?.mirror === undefined
          ? (snapshots, ofStreams) => keptNames({ snapshots, streams: ofStreams }, retention, now)
          : undefined,
    });
  }
}
