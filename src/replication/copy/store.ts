import { ArchiveError } from "../../archive/errors.js";
import type { SnapStore } from "../../snapstore/store.js";
import { BackupToolError, InterruptedError, NotLeaderError, throwIfAborted } from "../../errors.js";
import { Budget } from "../../flow/budget.js";
import type { StoredSnapshot } from "../../snapshots/catalog.js";
import { listStore, type StoreContents } from "../../snapshots/list-store.js";
import { endOf } from "../../snapshots/streams/log-needs.js";
import type { StoredStream } from "../../snapshots/streams/stored-stream.js";
import { FileThread } from "../../threads/file-thread.js";
import { type CopyLimits, copyPlan } from "./plan.js";
import {
  copyPlanned,
  type CopyReports,
  type CopyTotals,
  type PlannedCopySettings,
} from "./planned.js";
import { copyStream, STREAM_MEMORY_BYTES } from "./stream.js";

export interface CopySettings extends PlannedCopySettings {
  readonly limits: CopyLimits;
}

export interface StoreCopyReports extends CopyReports {
  /** Called with the snapshots of both stores, before anything is copied. */
  onListed?(source: readonly StoredSnapshot[], target: readonly StoredSnapshot[]): Promise<void>;
}

/**
 * Copies the complete snapshots of one store to another, and then the streams of deltas that go on from them. What fails is
 * reported, and the others continue. Throws if a store cannot be listed, and InterruptedError.
 *
 * @param source,target retry their calls with {@link copyRetryPolicy}
 */
export async function copyStore(
  source: SnapStore,
  target: SnapStore,
  settings: CopySettings,
  reports: StoreCopyReports,
): Promise<CopyTotals> {
  const [ofSource, ofTarget] = await listBoth(source, target, settings.signal);
  const listings = { source: ofSource.snapshots, target: ofTarget.snapshots };
  await reports.onListed?.(listings.source, listings.target);
  const damaged = listings.source.filter(({ state }) => state === "damaged");
  for (const { name, problem } of damaged) {
    await reports.onFailed(name.text, new ArchiveError("DAMAGED", `in ${source.name}: ${problem}`));
  }
  const plan = copyPlan(listings.source, settings.limits);
  const totals = await copyPlanned(source, target, { plan, ...listings }, settings, reports);
  const streams = streamsToCopy(ofSource.streams, plan, settings.limits);
  const ofStreams = await copyAllStreams(source, target, streams, settings, reports);
  return {
    copied: totals.copied + ofStreams.copied,
    repaired: totals.repaired,
    present: totals.present + ofStreams.present,
    failed: totals.failed + damaged.length + ofStreams.failed,
  };
}

/** With limits, those whose last delta came after the oldest snapshot that is copied; newest first. */
function streamsToCopy(
  streams: readonly StoredStream[],
  plan: readonly StoredSnapshot[],
  { maxBackups, since }: CopyLimits,
): StoredStream[] {
  const isLimited = maxBackups !== undefined || since !== undefined;
  const oldest = Math.min(...plan.map(({ name }) => name.time));
  return streams.filter((one) => !isLimited || endOf(one) >= oldest).toReversed();
}

async function copyAllStreams(
  source: SnapStore,
  target: SnapStore,
  streams: readonly StoredStream[],
  settings: CopySettings,
  reports: StoreCopyReports,
): Promise<Pick<CopyTotals, "copied" | "present" | "failed">> {
  const totals = { copied: 0, present: 0, failed: 0 };
  if (streams.length === 0) return totals;
  const thread = new FileThread();
  const slots = new Budget(settings.maxParallelCopies);
  const memory = new Budget(STREAM_MEMORY_BYTES);
  const options = { ...settings, thread, slots, memory, onBytes: () => {} };
  try {
    for (const { name } of streams) {
      try {
        const result = await copyStream(source, target, name, options);
        if (result.outcome === "present") totals.present++;
        else totals.copied++;
        reports.onCopied(name.text, result);
      } catch (error) {
        const endsAll = error instanceof InterruptedError || error instanceof NotLeaderError;
        if (endsAll || !(error instanceof BackupToolError)) throw error;
        totals.failed++;
        await reports.onFailed(name.text, error);
      }
    }
  } finally {
    await thread.close();
  }
  throwIfAborted(settings.signal);
  return totals;
}

async function listBoth(
  source: SnapStore,
  target: SnapStore,
  signal: AbortSignal,
): Promise<[StoreContents, StoreContents]> {
  return await Promise.all([listStore(source, signal), listStore(target, signal)]);
}
