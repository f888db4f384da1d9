import { keptNames } from "../operations/snapshots/retention.js";
import { lagOf } from "../replication/sync/lag.js";
import { lackingOf, planSync } from "../replication/sync/sync-plan.js";
import type { ServerOptions } from "../settings/server-options.js";
import type { StoredSnapshot } from "../snapshots/catalog.js";
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
  #lacking: readonly StoredSnapshot[] = [];

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
      this.#lacking = this.#compare(now);
    }
    return lagOf(this.#lacking, now);
  }

  #compare(now: Date): readonly StoredSnapshot[] {
    const { sync, retention } = this.#options();
    const source = this.#primary?.snapshots ?? [];
    if (this.#secondary === undefined) {
      return source.filter(
        ({ state, name }) => state === "complete" && name.time * 1000 >= this.#startedAt,
      );
    }
    const plan = planSync({
      source,
      target: this.#secondary.snapshots,
      held: this.#secondary.holds,
      wanted:
        sync?.mirror === undefined ? (listed) => keptNames(listed, retention, now) : undefined,
    });
    return lackingOf(plan);
  }
}
