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
  /** Maximum of files in flight. */
  readonly maxParallelCopies: number;
  readonly minChunkBytes: number;
  readonly maxParallelChunks: number;
  readonly retries: RetrySettings;
  readonly signal: AbortSignal;
}

export interface CopyReports {
  /** Called with the snapshots of both stores, before anything is copied. */
  onListed?(source: readonly StoredSnapshot[], target: readonly StoredSnapshot[]): Promise<void>;
  onProgress(done: number, total: number): void;
  onCopied(snapshot: string, result: CopyResult): void;
  /** Called for each snapshot that could not be copied, or is incomplete in the target. */
  onFailed(snapshot: string, error: BackupToolError): void;
}

export interface CopyTotals {
  readonly copied: number;
  readonly repaired: number;
  readonly present: number;
  readonly failed: number;
}

/** Limit for parts in memory, of all files. */
const MEMORY_BYTES = 200 << 20;

/**
 * Copies the complete snapshots of one store to another. A snapshot that fails is reported, and the others continue.
 * Throws if a store cannot be listed, and InterruptedError.
 *
 * @param source,target retry their calls with {@link copyRetryPolicy}
 */
export async function copyStore(
  source: SnapStore,
  target: SnapStore,
  settings: CopySettings,
  reports: CopyReports,
): Promise<CopyTotals> {
  const { signal } = settings;
  const [listed, existing] = await Promise.all([
    listSnapshots(source, signal),
    listSnapshots(target, signal),
  ]);
  await reports.onListed?.(listed, existing);
  const totals = { copied: 0, repaired: 0, present: 0, failed: 0 };
  const fail = (snapshot: string, error: BackupToolError): void => {
    totals.failed++;
    reports.onFailed(snapshot, error);
  };
  for (const { name, state, problem } of listed) {
    if (state !== "damaged") continue;
    fail(name.text, new ArchiveError("DAMAGED", `in ${source.name}: ${problem}`));
  }
  const plan = copyPlan(listed, settings.limits);
  const ids = new Set([...existing, ...plan].map(({ facts }) => facts?.id));
  const misplacement = misplacementCheck([...listed, ...existing], existing);
  const thread = new FileThread();
  const shared = {
    ...settings,
    thread,
    memory: new Budget(MEMORY_BYTES),
    slots: new Budget(settings.maxParallelCopies),
    onBytes: progressOf(plan, existing, reports),
  };
  /** By id of the backup: whether it is in the target. */
  const results = new Map<string, Promise<boolean>>();
  const copy = async ({ name, facts }: StoredSnapshot): Promise<boolean> => {
    const base = facts?.base ?? undefined;
    if (base !== undefined && (await results.get(base)) === false) {
      fail(name.text, new BackupToolError("NO_BASE", "its base was not copied"));
      return false;
    }
    const why = facts && misplacement(name.text, facts.id);
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
    // The copy is kept: its base may be added later.
    if (base !== undefined && !ids.has(base)) {
      fail(name.text, new BackupToolError("NO_BASE", `its base ${base} is in neither store`));
    }
    return true;
  };
  try {
    await inParallel(plan, settings.maxParallelCopies, async (snapshot) => {
      const result = copy(snapshot);
      if (snapshot.facts !== undefined) {
        const { id } = snapshot.facts;
        // A backup may exist under two names, of which one is enough.
        const either = Promise.all([results.get(id), result.catch(() => false)]);
        results.set(
          id,
          either.then((copied) => copied.includes(true)),
        );
      }
      await result;
    });
  } finally {
    await thread.close();
  }
  throwIfAborted(signal);
  return totals;
}

/**
 * Why a backup must not replace another complete one in the target: one of the stores has it under another
 * name too. An attacker could have put it in the place of a newer backup, whose copy would be lost as well.
 */
function misplacementCheck(
  all: readonly StoredSnapshot[],
  existing: readonly StoredSnapshot[],
): (snapshot: string, id: string) => string | undefined {
  const complete = new Map(
    existing
      .filter(({ state }) => state === "complete")
      .map(({ name, facts }) => [name.text, facts?.id]),
  );
  return (snapshot, id) => {
    const kept = complete.get(snapshot);
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

/** Reports progress, without the snapshots that are complete in the target. */
function progressOf(
  plan: readonly StoredSnapshot[],
  existing: readonly StoredSnapshot[],
  { onProgress }: CopyReports,
): (bytes: number) => void {
  const complete = new Set(
    existing.filter(({ state }) => state === "complete").map(({ name }) => name.text),
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
