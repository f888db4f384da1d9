import { ArchiveError } from "../archive/errors.js";
import { FileThread } from "../archive/file-thread.js";
import { BackupToolError, InterruptedError, throwIfAborted } from "../errors.js";
import { inParallel } from "../in-parallel.js";
import type { SnapStore } from "../snapstore/store.js";
import { Budget } from "./budget.js";
import { type CopyLimits, copyPlan } from "./copy-plan.js";
import { type CopyResult, copySnapshot } from "./copy-snapshot.js";
import type { RetrySettings } from "./retries.js";
import { listSnapshots, type StoredSnapshot } from "./snapshots.js";

export interface CopySettings {
  readonly limits: CopyLimits;
  /** Files on their way at the same time. */
  readonly maxParallelCopies: number;
  /** Bytes. */
  readonly minChunkBytes: number;
  readonly maxParallelChunks: number;
  readonly retries: RetrySettings;
  readonly signal: AbortSignal;
}

export interface CopyReports {
  /** What both stores hold, before anything is copied. */
  onListed?(source: readonly StoredSnapshot[], target: readonly StoredSnapshot[]): Promise<void>;
  onProgress(done: number, total: number): void;
  onCopied(snapshot: string, result: CopyResult): void;
  /** What is not in the target, or not as it should be, and why. */
  onFailed(snapshot: string, error: BackupToolError): void;
}

export interface CopyTotals {
  readonly copied: number;
  readonly repaired: number;
  readonly present: number;
  readonly failed: number;
}

/** Bytes of parts in memory, whatever the number of files. */
const MEMORY_BYTES = 200 << 20;

/**
 * Brings the complete snapshots of one store into another. What fails is reported, and the others go
 * on. Throws what stops everything: a store that cannot be listed, an interruption.
 */
export async function copyStore(
  source: SnapStore,
  target: SnapStore,
  settings: CopySettings,
  reports: CopyReports,
): Promise<CopyTotals> {
  const { signal } = settings;
  const [wanted, there] = await Promise.all([
    listSnapshots(source, signal),
    listSnapshots(target, signal),
  ]);
  await reports.onListed?.(wanted, there);
  const totals = { copied: 0, repaired: 0, present: 0, failed: 0 };
  const fail = (snapshot: string, error: BackupToolError): void => {
    totals.failed++;
    reports.onFailed(snapshot, error);
  };
  for (const { name, state, problem } of wanted) {
    if (state === "damaged")
      fail(name.text, new ArchiveError("DAMAGED", `in ${source.name}: ${problem}`));
  }
  const plan = copyPlan(wanted, settings.limits);
  const ids = new Set([...there, ...plan].map(({ facts }) => facts?.id));
  const progress = progressOf(plan, there, reports);
  const thread = new FileThread();
  const shared = {
    ...settings,
    thread,
    memory: new Budget(MEMORY_BYTES),
    slots: new Budget(settings.maxParallelCopies),
    onBytes: progress,
  };
  /** Of each backup by its id: whether it is in the target, once that is known. */
  const ends = new Map<string, Promise<boolean>>();
  const one = async ({ name, facts }: StoredSnapshot): Promise<boolean> => {
    const base = facts?.base ?? undefined;
    if (base !== undefined && (await ends.get(base)) === false) {
      fail(
        name.text,
        new BackupToolError("NO_BASE", "the backup that it stands on was not copied"),
      );
      return false;
    }
    const result = await copyOne(source, target, name.text, shared);
    if (result instanceof BackupToolError) {
      fail(name.text, result);
      return false;
    }
    totals[result.outcome]++;
    reports.onCopied(name.text, result);
    // It is kept all the same: its base may turn up.
    if (base !== undefined && !ids.has(base)) {
      fail(
        name.text,
        new BackupToolError("NO_BASE", `backup ${base}, on which it stands, is in neither store`),
      );
    }
    return true;
  };
  try {
    await inParallel(plan, settings.maxParallelCopies, async (snapshot) => {
      const end = one(snapshot);
      if (snapshot.facts !== undefined)
        ends.set(
          snapshot.facts.id,
          end.catch(() => false),
        );
      await end;
    });
  } finally {
    await thread.close();
  }
  throwIfAborted(signal);
  return totals;
}

async function copyOne(
  source: SnapStore,
  target: SnapStore,
  snapshot: string,
  options: Parameters<typeof copySnapshot>[3],
): Promise<CopyResult | BackupToolError> {
  try {
    return await copySnapshot(source, target, snapshot, options);
  } catch (error) {
    if (error instanceof InterruptedError || !(error instanceof BackupToolError)) throw error;
    return error;
  }
}

/** Adds up bytes; what is in the target already is no part of the work. */
function progressOf(
  plan: readonly StoredSnapshot[],
  there: readonly StoredSnapshot[],
  { onProgress }: CopyReports,
): (bytes: number) => void {
  const complete = new Set(
    there.filter(({ state }) => state === "complete").map(({ name }) => name.text),
  );
  const total = plan
    .filter(({ name }) => !complete.has(name.text))
    .reduce((sum, { facts }) => sum + (facts?.bytes ?? 0), 0);
  let done = 0;
  return (bytes) => {
    done += bytes;
    onProgress(done, Math.max(done, total));
  };
}
