import { ArchiveError } from "../../archive/errors.js";
import type { SnapStore } from "../../snapstore/store.js";
import { listSnapshots, type StoredSnapshot } from "../../snapshots/catalog.js";
import { type CopyLimits, copyPlan } from "./plan.js";
import {
  copyPlanned,
  type CopyReports,
  type CopyTotals,
  type Listings,
  type PlannedCopySettings,
} from "./planned.js";

export interface CopySettings extends PlannedCopySettings {
  readonly limits: CopyLimits;
}

export interface StoreCopyReports extends CopyReports {
  /** Called with the snapshots of both stores, before anything is copied. */
  onListed?(source: readonly StoredSnapshot[], target: readonly StoredSnapshot[]): Promise<void>;
}

/**
 * Copies the complete snapshots of one store to another. A snapshot that fails is reported, and the others continue.
 * Throws if a store cannot be listed, and InterruptedError.
 *
 * @param source,target retry their calls with {@link copyRetryPolicy}
 * @param listed the snapshots of both, if they are known
 */
export async function copyStore(
  source: SnapStore,
  target: SnapStore,
  settings: CopySettings,
  reports: StoreCopyReports,
  listed?: Listings,
): Promise<CopyTotals> {
  const listings = listed ?? (await listBoth(source, target, settings.signal));
  await reports.onListed?.(listings.source, listings.target);
  const damaged = listings.source.filter(({ state }) => state === "damaged");
  for (const { name, problem } of damaged) {
    await reports.onFailed(name.text, new ArchiveError("DAMAGED", `in ${source.name}: ${problem}`));
  }
  const plan = copyPlan(listings.source, settings.limits);
  const totals = await copyPlanned(source, target, { plan, ...listings }, settings, reports);
  return { ...totals, failed: totals.failed + damaged.length };
}

async function listBoth(
  source: SnapStore,
  target: SnapStore,
  signal: AbortSignal,
): Promise<Listings> {
  const [ofSource, ofTarget] = await Promise.all([
    listSnapshots(source, signal),
    listSnapshots(target, signal),
  ]);
  return { source: ofSource, target: ofTarget };
}
