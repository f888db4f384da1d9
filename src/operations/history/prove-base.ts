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
import { planRevision } from "./plan/plan-history.js";
import type { StoredHistoryBase } from "./stored-history.js";

/** Whether a raw snapshot is what the one before it and the deltas between make. */
export type BaseProof =
  | {
      readonly outcome: "proven" | "differs";
      /** The base before. */
      readonly older: string;
      /** Revisions that the log adds to it are proven, or the first difference is among them. */
      readonly first: number;
      readonly last: number;
      /** What differs, for a message. */
      readonly difference?: string | undefined;
    }
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
  const plan = planRevision(others, streams, base.revision).find(
    (one) => one.base.revision <= base.revision,
  );
  if (plan === undefined) return withoutLog(others, base);
  return await comparePlan(access, plan, base, context);
}

function withoutLog(
  others: readonly StoredHistoryBase[],
  { revision }: StoredHistoryBase,
): BaseProof {
  const [older] = others
    .filter((one) => one.revision <= revision)
    .sort((a, b) => b.revision - a.revision);
  if (older === undefined) return { outcome: "nothing-before" };
  return { outcome: "no-log", older: older.name, first: older.revision + 1, last: revision };
}

async function comparePlan(
  { passphrase, pool, log, spoolDir }: ProofAccess,
  plan: StoredPlan,
  newer: StoredHistoryBase,
  context: Pick<OperationContext, "report" | "signal">,
): Promise<BaseProof> {
  const opened: BaseDatabase[] = [];
  const open = async (base: StoredHistoryBase): Promise<BaseDatabase> => {
    const backup = await openHistoryBase(base, passphrase, pool, context);
    const database = await openBaseDatabase(backup, spoolDir, context);
    opened.push(database);
    return database;
  };
  try {
    const older = await open(plan.base);
    const later = await open(newer);
    const { proven, firstDifference } = await compareDatabases(
      older.database,
      log.after(older, plan, context.signal),
      later.database,
      context.signal,
    );
    return {
      outcome: proven ? "proven" : "differs",
      older: plan.base.name,
      first: plan.base.revision + 1,
      last: plan.revision,
      difference: firstDifference && differenceText(firstDifference),
    };
  } finally {
    await Promise.all(opened.map((one) => one.close()));
  }
}

const WORDS: Readonly<Record<DatabaseDifference["kind"], string>> = {
  missing: "is missing",
  unexpected: "is in no delta",
  different: "is another one",
};

function differenceText({ revision, kind }: DatabaseDifference): string {
  return `a change of revision ${revision} ${WORDS[kind]}`;
}
