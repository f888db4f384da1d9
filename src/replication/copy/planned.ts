import { ArchiveError } from "../../archive/errors.js";
import { FileThread } from "../../threads/file-thread.js";
import { BackupToolError, InterruptedError, throwIfAborted } from "../../errors.js";
import { inParallel } from "../../flow/in-parallel.js";
import type { SnapStore } from "../../snapstore/store.js";
import { Budget } from "../../flow/budget.js";

import { copySnapshot, type CopyResult } from "./snapshot.js";
import type { RetrySettings } from "./retries.js";
import type { StoredSnapshot } from "../../snapshots/catalog.js";
import { checkNotCovered, heldNames } from "../../snapshots/holds.js";

export interface PlannedCopySettings {
  /** Maximum of files in flight. */
  readonly maxParallelCopies: number;
  readonly minChunkBytes: number;
  readonly maxParallelChunks: number;
  readonly retries: RetrySettings;
  /** Fail with SNAPSHOT_CONFLICT in place of replacing another complete backup of the same name. */
  readonly keepOthers?: boolean | undefined;
  readonly keepBase?: KeepBase | undefined;
  readonly signal: AbortSignal;
}

/**
 * Keeps the base of an incremental in the target while `copy` runs, which calls its argument right before the manifest.
 */
export type KeepBase = (
  snapshot: StoredSnapshot,
  copy: (beforeManifest: () => Promise<void>) => Promise<CopyResult>,
) => Promise<CopyResult>;

/** The snapshots of both stores. */
export interface Listings {
  readonly source: readonly StoredSnapshot[];
  readonly target: readonly StoredSnapshot[];
}

export interface CopyReports {
  /** Called before the first byte of a snapshot is copied. */
  onBegin?(snapshot: StoredSnapshot): void;
  onProgress(done: number, total: number): void;
  onCopied(snapshot: string, result: CopyResult): void;
  /** Called for each snapshot that could not be copied, or is incomplete in the target. A promise is awaited. */
  onFailed(snapshot: string, error: BackupToolError): unknown;
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
 * Copies snapshots, of which a base comes before its incrementals. A snapshot that fails is reported, and the others
 * continue. Throws InterruptedError.
 *
 * @param source,target retry their calls with {@link copyRetryPolicy}
 */
export async function copyPlanned(
  source: SnapStore,
  target: SnapStore,
  {
    plan,
    source: listed,
    target: existing,
  }: Listings & { readonly plan: readonly StoredSnapshot[] },
  settings: PlannedCopySettings,
  reports: CopyReports,
): Promise<CopyTotals> {
  const { signal } = settings;
  const totals = { copied: 0, repaired: 0, present: 0, failed: 0 };
  const fail = async (snapshot: string, error: BackupToolError): Promise<void> => {
    totals.failed++;
    await reports.onFailed(snapshot, error);
  };
  const ids = new Set([...existing, ...plan].map(({ facts }) => facts?.id));
  const misplacement = misplacementCheck([...listed, ...existing], existing);
  const checkReplaced = replacementCheck(target, existing, signal);
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
  const copy = async (snapshot: StoredSnapshot): Promise<boolean> => {
    const { name, facts } = snapshot;
    const base = facts?.base ?? undefined;
    if (base !== undefined && (await results.get(base)) === false) {
      await fail(name.text, new BackupToolError("NO_BASE", "its base was not copied"));
      return false;
    }
    const why = facts && misplacement(name.text, facts.id);
    if (why !== undefined) {
      await fail(name.text, new ArchiveError("DOES_NOT_BELONG", `in ${source.name}: ${why}`));
      return false;
    }
    reports.onBegin?.(snapshot);
    const result = await attempt(async () => {
      await checkReplaced(snapshot);
      return await copyOne(source, target, snapshot, shared);
    });
    if (result instanceof BackupToolError) {
      await fail(name.text, result);
      return false;
    }
    totals[result.outcome]++;
    reports.onCopied(name.text, result);
    // The copy is kept: its base may be added later.
    if (base !== undefined && !ids.has(base)) {
      await fail(name.text, new BackupToolError("NO_BASE", `its base ${base} is in neither store`));
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

/** Throws SNAPSHOT_HELD for a snapshot that would replace another backup that is held, or a base of one that is. */
function replacementCheck(
  target: SnapStore,
  existing: readonly StoredSnapshot[],
  signal: AbortSignal,
): (snapshot: StoredSnapshot) => Promise<void> {
  const byName = new Map(existing.map((one) => [one.name.text, one]));
  return async ({ name, facts }) => {
    const replaced = byName.get(name.text);
    if (replaced?.facts === undefined || replaced.facts.id === facts?.id) return;
    checkNotCovered(target, replaced, existing, await heldNames(target, signal));
  };
}

function copyOne(
  source: SnapStore,
  target: SnapStore,
  snapshot: StoredSnapshot,
  options: Parameters<typeof copySnapshot>[3] & Pick<PlannedCopySettings, "keepBase">,
): Promise<CopyResult> {
  const { keepBase } = options;
  const copy = (beforeManifest = async () => {}): Promise<CopyResult> =>
    copySnapshot(source, target, snapshot.name.text, { ...options, beforeManifest });
  const isOver = snapshot.facts !== undefined && snapshot.facts.base !== null;
  return isOver && keepBase !== undefined ? keepBase(snapshot, copy) : copy();
}

async function attempt<T>(work: () => Promise<T>): Promise<T | BackupToolError> {
  try {
    return await work();
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
