import { BackupToolError, InterruptedError } from "../../errors.js";
import { lagOf } from "../../replication/sync/lag.js";
import { lackingOf, planSync, type SyncState } from "../../replication/sync/sync-plan.js";
import { heldNames } from "../../snapshots/holds.js";
import { listStore, type StoreContents } from "../../snapshots/list-store.js";
import type { StoreConfig } from "../../snapstore/config.js";
import type { SnapStore } from "../../snapstore/store.js";
import type { StoreContext } from "../context.js";
import { newestComplete, SeenSnapshots } from "../open/seen-snapshots.js";
import { openRetrying } from "../open/stores.js";
import { keptNames } from "../snapshots/retention.js";
import { withLimits } from "./limits.js";
import type { StatusReport } from "./report.js";
import type { SiteStatus } from "./site-status.js";
import { siteStatus } from "./status.js";

interface StoresStatusOptions {
  readonly primary: StoreConfig;
  readonly secondary?: StoreConfig | undefined;
  /** Alert when the newest restorable backup of a store is older, ms. */
  readonly maxAgeMs: number;
  /** Undefined: nothing keeps the secondary in step. */
  readonly sync: StoresSync | undefined;
  readonly now: Date;
  readonly version: string;
}

interface StoresSync {
  /** Alert when the secondary lacks a backup for longer, ms. */
  readonly maxLagMs: number;
  /** What the secondary keeps by itself; undefined: what the primary has. */
  readonly retention: Parameters<typeof keptNames>[1] | undefined;
}

interface Site {
  readonly status: SiteStatus;
  /** Undefined: it could not be listed. */
  readonly listed?: StoreContents;
  readonly holds?: ReadonlySet<string>;
}

/** The status of the stores as their listings show it. A store that fails is a part of the report. */
export async function statusOfStores(
  { primary, secondary, maxAgeMs, sync: options, now, version }: StoresStatusOptions,
  context: StoreContext,
): Promise<StatusReport> {
  const [first, second] = await Promise.all([
    siteOf(primary, now, context),
    secondary && siteOf(secondary, now, context),
  ]);
  const sites = { primary: first.status, ...(second && { secondary: second.status }) };
  const sync = options && second && syncOf(first, second, options, now);
  const report = { version, now: now.toISOString(), sites, alerts: [], ...(sync && { sync }) };
  return withLimits(report, { maxAgeMs, maxSyncLagMs: options?.maxLagMs });
}

/** Undefined where one of the stores could not be listed. */
function syncOf(
  { listed: source }: Site,
  { listed: target, holds: held }: Site,
  { retention }: StoresSync,
  now: Date,
): StatusReport["sync"] {
  if (source === undefined || target === undefined) return undefined;
  const wanted: SyncState["wanted"] =
    retention && ((snapshots, streams) => keptNames({ snapshots, streams }, retention, now));
  const plan = planSync({
    source: source.snapshots,
    target: target.snapshots,
    streams: { source: source.streams, target: target.streams },
    held,
    wanted,
  });
  const lacks = plan.streams.map(({ lack }) => lack);
  const { snapshots, deltas, bytes, seconds } = lagOf(lackingOf(plan), now, lacks);
  return { enabled: true, running: false, lag: { snapshots, deltas, bytes, seconds } };
}

async function siteOf(config: StoreConfig, now: Date, context: StoreContext): Promise<Site> {
  const nothing = { breaker: "closed", listed: [], holds: new Set<string>(), now } as const;
  let store: SnapStore | undefined;
  try {
    store = await openRetrying(config);
    const [listed, holds] = await Promise.all([
      listStore(store, context.signal),
      heldNames(store, context.signal),
    ]);
    await new SeenSnapshots(context).check(store, newestComplete(listed.snapshots));
    const { snapshots } = listed;
    const facts = { ...nothing, store: store.name, listed: snapshots, holds, checkedAt: now };
    return { status: siteStatus(facts), listed, holds };
  } catch (error) {
    if (error instanceof InterruptedError || !(error instanceof BackupToolError)) throw error;
    const facts = { ...nothing, store: store?.name ?? config.provider, error: error.message };
    return { status: siteStatus(facts) };
  } finally {
    await store?.close();
  }
}
