import { ArchiveError } from "../../archive/errors.js";
import { FileThread } from "../../threads/file-thread.js";
import { BackupToolError, InterruptedError, throwIfAborted } from "../../errors.js";
import { inParallel } from "../../flow/in-parallel.js";
import type { SnapStore } from "../../snapstore/store.js";
import { Budget } from "../../flow/budget.js";
import { type CopyLimits, copyPlan } from "./plan.js";
import { type CopyResult, copySnapshot } from "./snapshot.js";
import type { RetrySettings } from "./retries.js";
import { listSnapshots, type StoredSnapshot } from "../../snapshots/catalog.js";

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
 * Brings the complete snapshots of one store into another. A snapshot that fails is reported, and the others go on.
 * Throws what stops everything: a store that cannot be listed, an interruption.
 *
 * @param source,target repeat their own calls, as {@link copyRetryPolicy} says
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
  const misplaced = misplacement([...wanted, ...there], there);
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
    const why = facts && misplaced(name.text, facts.id);
    if (why !== undefined) {
      fail(name.text, new ArchiveError("DOES_NOT_BELONG", `in ${source.name}: ${why}`));
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
      if (snapshot.facts !== undefined) {
        const { id } = snapshot.facts;
        // A backup may be there under two names: one of them will do.
        const either = [ends.get(id), end.catch(() => false)];
        ends.set(
          id,
          Promise.all(either).then((there) => there.includes(true)),
        );
      }
      await end;
    });
  } finally {
    await thread.close();
  }
  throwIfAborted(signal);
  return totals;
}

/**
 * Why a backup must not take the place of another whole one in the target: it was made under one name, and is there under
 * that one too. Whoever put it in the place of a newer one would have the newer one's copy destroyed as well.
 */
function misplacement(
  all: readonly StoredSnapshot[],
  there: readonly StoredSnapshot[],
): (snapshot: string, id: string) => string | undefined {
  const whole = new Map(
    there
      .filter(({ state }) => state === "complete")
      .map(({ name, facts }) => [name.text, facts?.id]),
  );
  return (snapshot, id) => {
    const kept = whole.get(snapshot);
    if (kept === undefined || kept === id) return undefined;
    const other = all.find(({ name, facts }) => facts?.id === id && name.text !== snapshot);
    return (
      other &&
      `it holds the same backup as ${other.name.text}, and the target keeps its own of this name (backup ${kept})`
    );
  };
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
