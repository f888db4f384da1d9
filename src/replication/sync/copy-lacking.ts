import { setMaxListeners } from "node:events";
import type { BackupToolError } from "../../errors.js";
import type { StoredSnapshot } from "../../snapshots/catalog.js";
import { copyPlanned, type KeepBase, type Listings } from "../copy/planned.js";
import { CopyFailures } from "./copy-failures.js";
import type { FailingStore } from "./failing-store.js";
import { copyStreams } from "./copy-streams.js";
import { lagOf, type SyncLag } from "./lag.js";
import type { StreamToCopy } from "./stream-plan.js";
import { SyncError, type SyncSide } from "./sync-error.js";
import { lackingOf, type SyncPlan } from "./sync-plan.js";
import type { SyncReports, SyncSettings, SyncTotals } from "./sync-run.js";

/**
 * Copies what a plan selects, the deltas of streams first: they are small, and may be all there is of the last minutes. What
 * cannot be copied is reported, and the others continue. Throws SyncError once a store fails as a whole.
 */
export async function copyLacking(
  stores: Readonly<Record<SyncSide, FailingStore>>,
  plan: SyncPlan,
  listings: Listings,
  settings: SyncSettings,
  reports: SyncReports,
): Promise<Pick<SyncTotals, "copied" | "repaired" | "present" | "failed" | "lag">> {
  const stop = new AbortController();
  const signal = AbortSignal.any([settings.signal, stop.signal]);
  // Each call in flight adds listeners.
  setMaxListeners(0, signal);
  const failures = new CopyFailures(stores);
  /** Copied, or not in the source any more. */
  const done = new Set<string>();
  const wholeStreams = new Set<StreamToCopy>();
  const lag = (): SyncLag =>
    lagOf(
      lackingOf(plan).filter(({ name }) => !done.has(name.text)),
      new Date(),
      plan.streams.filter((one) => !wholeStreams.has(one)).map(({ lack }) => lack),
    );
  let failed = 0;
  const onFailed = async (snapshot: string, error: BackupToolError): Promise<void> => {
    try {
      if (done.has(snapshot)) {
        // It is there, without its base.
        reports.onNotCopied(snapshot, error, undefined);
        return;
      }
      if (await failures.isGone(snapshot, error, signal)) {
        done.add(snapshot);
        return;
      }
      failed++;
      reports.onNotCopied(snapshot, error, failures.sideOf(error));
      await failures.check(snapshot, error, signal);
    } catch (failure) {
      stop.abort(failure);
      throw failure;
    }
  };
  const bases = basesInTarget(plan.copy, listings.target);
  const keepBase: KeepBase = ({ facts }, copy) => {
    const base = bases.get(facts?.base ?? undefined);
    if (base === undefined) return copy(async () => {});
    return settings.keepBase(stores.target, base, copy);
  };
  try {
    const streams = await copyStreams(
      stores,
      plan.streams,
      failures,
      { ...settings, signal },
      reports,
      (one) => wholeStreams.add(one),
    );
    failed += streams.failed;
    const { copied } = streams;
    if (plan.copy.length === 0) return { copied, repaired: 0, present: 0, failed, lag: lag() };
    const totals = await copyPlanned(
      stores.source,
      stores.target,
      { plan: plan.copy, ...listings },
      { ...settings, keepOthers: true, keepBase, signal },
      {
        onBegin: (snapshot) => reports.onBegin(snapshot),
        onProgress: (bytes, total) => reports.onProgress(bytes, total),
        onCopied: (snapshot, result) => {
          failures.succeeded();
          done.add(snapshot);
          reports.onCopied(snapshot, result);
        },
        onFailed,
      },
    );
    return { ...totals, copied: totals.copied + copied, failed, lag: lag() };
  } catch (error) {
    if (error instanceof SyncError && !stop.signal.aborted) throw error.withLag(lag());
    // Copies that were stopped end with an interruption, perhaps before the failure that stopped them.
    const { aborted, reason } = stop.signal;
    if (!aborted || settings.signal.aborted) throw error;
    throw reason instanceof SyncError ? reason.withLag(lag()) : reason;
  }
}

/** The names of backups in the target, by id: those to be copied, and those that are there. */
function basesInTarget(
  copies: readonly StoredSnapshot[],
  target: readonly StoredSnapshot[],
): Map<string | undefined, string> {
  const complete = target.filter(({ state }) => state === "complete");
  return new Map([...copies, ...complete].map(({ name, facts }) => [facts?.id, name.text]));
}
