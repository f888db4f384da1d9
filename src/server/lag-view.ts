import { keptNames } from "../operations/snapshots/retention.js";
import { lagOf } from "../replication/sync/lag.js";
import { lackingOf, planSync } from "../replication/sync/sync-plan.js";
import type { ServerOptions } from "../settings/server-options.js";
import type { StoredSnapshot } from "../snapshots/catalog.js";
import type { SiteListing } from "./site.js";
import type { Sites } from "./sites.js";
import type { SyncLag } from "./status.js";

/** What the secondary lacks, by the last listings: also while it is down, and between two runs of the sync. */
export class LagView {
  readonly #sites: Sites;
  readonly #options: () => ServerOptions;
  #primary: SiteListing | undefined;
  #secondary: SiteListing | undefined;
  #lacking: readonly StoredSnapshot[] = [];

  constructor(sites: Sites, options: () => ServerOptions) {
    this.#sites = sites;
    this.#options = options;
  }

  /** Undefined until both stores were listed. */
  lag(now: Date): SyncLag | undefined {
    const { primary, secondary } = this.#sites;
    if (primary.listing === undefined || secondary?.listing === undefined) return undefined;
    if (primary.listing !== this.#primary || secondary?.listing !== this.#secondary) {
      this.#primary = primary.listing;
      this.#secondary = secondary?.listing;
      this.#lacking = this.#compare(now);
    }
    return lagOf(this.#lacking, now);
  }

  #compare(now: Date): readonly StoredSnapshot[] {
    const { sync, retention } = this.#options();
    const plan = planSync({
      source: this.#primary?.snapshots ?? [],
      target: this.#secondary?.snapshots ?? [],
      held: this.#secondary?.holds,
      wanted:
        sync?.mirror === undefined ? (listed) => keptNames(listed, retention, now) : undefined,
    });
    return lackingOf(plan);
  }
}
