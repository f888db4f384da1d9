import type { BackupReader } from "../../archive/backup-reader.js";
import {
  compareDatabases,
  type DatabaseDifference,
} from "../../sources/etcd/file/compare-databases.js";
import type { OperationContext } from "../context.js";
import type { SpoolSettings } from "../create/raw-snapshot.js";
import { type BaseDatabase, openBaseDatabase } from "./base-database.js";
import type { HistoryAccess } from "./history-access.js";
import { openHistoryBase } from "./open-base.js";
import type { StoredPlan } from "./history-log.js";
import { isAfterRestore, proofPlans } from "./plan/proof-plans.js";
import { isOfStoredData } from "./stored-data-error.js";
import type { StoredHistoryBase } from "./stored-history.js";

/** What comparing a raw snapshot with the one before it and the deltas between has found. */
export interface ComparedBase {
  /**
   * `merged`: they are the same, and it was made of them. That proves the deltas once a later raw snapshot of etcd is proven
   * to be what it and the deltas after it make. `another-history`: they differ, and etcd was restored to the past between
   * them, so that is right.
   */
  readonly outcome: "proven" | "merged" | "differs" | "another-history";
  /** The base before. */
  readonly older: string;
  /** Revisions that the log adds to it are proven, or the first difference is among them. */
  readonly first: number;
  readonly last: number;
  /** What differs, for a message. */
  readonly difference?: string | undefined;
}

/** Whether a raw snapshot is what the one before it and the deltas between make. */
export type BaseProof =
  | ComparedBase
  | {
      /** There is one before it, but the deltas in between are not all there. */
      readonly outcome: "no-log";
      readonly older: string;
      readonly first: number;
      readonly last: number;
    }
  /** No raw snapshot before it. */
  | { readonly outcome: "nothing-before" };

export type ProofAccess = HistoryAccess & SpoolSettings;

/**
 * Compares a raw snapshot with the newest one before it plus the deltas in between, entry by entry. It finds what no check of
 * the log alone can: changes that are missing inside of a revision.
 *
 * @param newer name of the base
 * @throws ArchiveError, EtcdFileError where one of them is damaged; StoreError, `SPOOL`, InterruptedError
 */
export async function proveBase(
  access: ProofAccess,
  newer: string,
  context: Pick<OperationContext, "report" | "signal">,
): Promise<BaseProof> {
  const { bases, streams } = access.history;
  const base = bases.find(({ name }) => name === newer);
  if (base === undefined) return { outcome: "nothing-before" };
  // A copy of a base in another store, or under another name, proves nothing.
  const others = bases.filter(({ id, takenMs }) => id !== base.id && takenMs <= base.takenMs);
  let found: ComparedBase | undefined;
  for (const plan of proofPlans(base, others, streams)) {
    try {
      const proof = await comparePlan(access, plan, base, context);
      if (proof.outcome === "proven" || proof.outcome === "merged") return proof;
      found ??= proof;
    } catch (error) {
      if (found === undefined || !isOfStoredData(error)) throw error;
    }
  }
  if (found === undefined) return withoutLog(others, base);
  return isAfterRestore(base, streams) ? { ...found, outcome: "another-history" } : found;
}

function withoutLog(
  others: readonly StoredHistoryBase[],
  { revision }: StoredHistoryBase,
): BaseProof {
  const [older] = others
    .filter((one) => one.revision < revision)
    .sort((a, b) => b.revision - a.revision);
  if (older === undefined) return { outcome: "nothing-before" };
  return { outcome: "no-log", older: older.name, first: older.revision + 1, last: revision };
}

async function comparePlan(
  { passphrase, pool, log, spoolDir }: ProofAccess,
  plan: StoredPlan,
  newer: StoredHistoryBase,
  context: Pick<OperationContext, "report" | "signal">,
): Promise<ComparedBase> {
  const compared = {
    older: plan.base.name,
    first: plan.base.revision + 1,
    last: plan.revision,
  };
  const [before, after] = [
    await openHistoryBase(plan.base, passphrase, pool, context),
    await openHistoryBase(newer, passphrase, pool, context),
  ];
  if (isOfOther(before, after)) {
    return { outcome: "another-history", ...compared, difference: "they are of two clusters" };
  }
  const opened: BaseDatabase[] = [];
  const open = async (backup: BackupReader): Promise<BaseDatabase> => {
    const database = await openBaseDatabase(backup, spoolDir, context);
    opened.push(database);
    return database;
  };
  try {
    const older = await open(before);
    const later = await open(after);
    const { proven, firstDifference } = await compareDatabases(
      older.database,
      log.after(older, plan, context.signal),
      later.database,
      context.signal,
    );
    return {
      outcome: !proven ? "differs" : (await isMerged(later)) ? "merged" : "proven",
      ...compared,
      difference: firstDifference && differenceText(firstDifference),
    };
  } finally {
    await Promise.all(opened.map((one) => one.close()));
  }
}

/** A cluster that was made anew of a backup has another id: what it holds is what the log said, and proves nothing of it. */
function isOfOther({ metadata: a }: BackupReader, { metadata: b }: BackupReader): boolean {
  const [one, other] = [a.etcd?.clusterId, b.etcd?.clusterId];
  return Boolean(one && other && one !== other);
}

/** A database of etcd names its members, one that was merged of deltas names none. */
async function isMerged({ database }: BaseDatabase): Promise<boolean> {
  return (await database.hasEntries("members")) === false;
}

const WORDS: Readonly<Record<DatabaseDifference["kind"], string>> = {
  missing: "is missing",
  unexpected: "is in no delta",
  different: "is another one",
};

function differenceText({ revision, kind }: DatabaseDifference): string {
  return `a change of revision ${revision} ${WORDS[kind]}`;
}
