import { BackupToolError, InterruptedError, UsageError, errorMessage } from "../errors.js";
import { checkDistinct } from "../operations/open/stores.js";
import type { ServerStores } from "../settings/server-options.js";
import type { SnapStore } from "../snapstore/store.js";
import { Site, type SiteOptions } from "./site.js";

interface SitesOptions extends SiteOptions {
  /** With the credentials as their files are now. @throws UsageError */
  stores(): ServerStores;
  changed(): void;
}

/** An error for the log, with what can be done. */
function why(error: unknown): { readonly reason: string; readonly hint?: string } {
  const hint = error instanceof BackupToolError ? error.hint : undefined;
  return { reason: errorMessage(error), ...(hint !== undefined && { hint }) };
}

/** Whether a store works, but has more in it than is listed. */
function isOverflow(error: unknown): boolean {
  return error instanceof BackupToolError && error.code === "STORE_OVERFLOW";
}

/** The one or two stores of a server. One that is down does not stop the other. */
export class Sites {
  readonly primary: Site;
  readonly secondary: Site | undefined;
  readonly #options: SitesOptions;
  /** The last stores that could be read from settings and files. */
  #stores: ServerStores;

  /** @throws UsageError */
  constructor(options: SitesOptions) {
    this.#options = options;
    this.#stores = options.stores();
    this.primary = new Site("primary", this.#stores.primary, options);
    this.secondary =
      this.#stores.secondary && new Site("secondary", this.#stores.secondary, options);
  }

  get all(): readonly Site[] {
    return this.secondary === undefined ? [this.primary] : [this.primary, this.secondary];
  }

  /** Those that are called now. */
  get usable(): readonly Site[] {
    return this.all.filter((site) => site.isOpen && site.breaker !== "open");
  }

  /** The stores, with their credentials read again. The former ones where a file cannot be read now. */
  get stores(): ServerStores {
    try {
      this.#stores = this.#options.stores();
    } catch (error) {
      this.#options.log.warn(
        { reason: errorMessage(error) },
        "Credentials cannot be read: the former ones are used",
      );
    }
    return this.#stores;
  }

  /** The first listing of both. @throws what an unusable primary store throws; UsageError for the same place twice */
  async open(signal: AbortSignal): Promise<void> {
    const { log } = this.#options;
    const [first, second] = await Promise.allSettled([
      this.#check(this.primary, signal),
      this.secondary && this.#check(this.secondary, signal),
    ]);
    if (second.status === "rejected") {
      const { reason } = second;
      if (reason instanceof InterruptedError || reason instanceof UsageError) throw reason;
      log.warn({ reason: errorMessage(second.reason) }, "failed to create secondary snapstore");
    }
    if (first.status === "rejected") {
      if (!isOverflow(first.reason)) throw first.reason;
      // Retention can still make room.
      log.warn(why(first.reason), "The primary store cannot be listed");
    }
    if (this.secondary === undefined || second.status === "rejected") {
      log.info("Only primary snapstore available, using single endpoint");
    }
  }

  /** Lists the store of a site. Never throws: the site has the error. */
  async check(site: Site, signal: AbortSignal): Promise<void> {
    try {
      await this.#check(site, signal);
    } catch (error) {
      const leftAlone = error instanceof BackupToolError && error.code === "BREAKER_OPEN";
      if (leftAlone || signal.aborted) return;
      this.#options.log.warn({ site: site.name, ...why(error) }, "The store is not usable");
    } finally {
      this.#options.changed();
    }
  }

  /** Lists the stores where it is time to. */
  checkWhereDue(signal: AbortSignal): void {
    for (const site of this.all) if (site.checkIsDue) void this.check(site, signal);
  }

  async close(): Promise<void> {
    await Promise.all(this.all.map((site) => site.close()));
  }

  async #check(site: Site, signal: AbortSignal): Promise<void> {
    const destination = this.stores[site.name];
    if (destination === undefined) return;
    const other = this.all.find((one) => one !== site);
    // The same place twice would be its own second copy.
    const accept = (store: SnapStore) =>
      checkDistinct(store, other?.isOpen ? other.store : undefined);
    await site.check(destination, accept, signal);
  }
}
