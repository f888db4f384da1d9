import { BackupToolError, InterruptedError } from "../../errors.js";
import { listSnapshots } from "../../snapshots/catalog.js";
import { heldNames } from "../../snapshots/holds.js";
import type { StoreConfig } from "../../snapstore/config.js";
import type { SnapStore } from "../../snapstore/store.js";
import type { StoreContext } from "../context.js";
import { newestComplete, SeenSnapshots } from "../open/seen-snapshots.js";
import { openRetrying } from "../open/stores.js";
import { STORE_SITES, type StatusReport } from "./report.js";
import { siteAlerts } from "./site-alerts.js";
import type { SiteStatus } from "./site-status.js";
import { siteStatus } from "./status.js";

interface StoresStatusOptions {
  readonly primary: StoreConfig;
  readonly secondary?: StoreConfig | undefined;
  /** Alert when the newest restorable backup of a store is older, ms. */
  readonly maxAgeMs: number;
  readonly now: Date;
  readonly version: string;
}

/** The status of the stores as their listings show it. A store that fails is a part of the report. */
export async function statusOfStores(
  { primary, secondary, maxAgeMs, now, version }: StoresStatusOptions,
  context: StoreContext,
): Promise<StatusReport> {
  const configs = { primary, secondary };
  const found = await Promise.all(
    STORE_SITES.map(async (site) => {
      const config = configs[site];
      return config && ([site, await statusOf(config, now, context)] as const);
    }),
  );
  const sites = found.filter((one) => one !== undefined);
  return {
    version,
    now: now.toISOString(),
    sites: Object.fromEntries(sites),
    alerts: sites.flatMap(([site, status]) => siteAlerts(site, status, { maxAgeMs, now })),
  };
}

async function statusOf(
  config: StoreConfig,
  now: Date,
  context: StoreContext,
): Promise<SiteStatus> {
  const nothing = { breaker: "closed", listed: [], holds: new Set<string>(), now } as const;
  let store: SnapStore | undefined;
  try {
    store = await openRetrying(config);
    const [listed, holds] = await Promise.all([
      listSnapshots(store, context.signal),
      heldNames(store, context.signal),
    ]);
    await new SeenSnapshots(context).check(store, newestComplete(listed));
    return siteStatus({ ...nothing, store: store.name, listed, holds, checkedAt: now });
  } catch (error) {
    if (error instanceof InterruptedError || !(error instanceof BackupToolError)) throw error;
    return siteStatus({ ...nothing, store: store?.name ?? config.provider, error: error.message });
  } finally {
    await store?.close();
  }
}
