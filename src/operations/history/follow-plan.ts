import type { BackupReader } from "../../archive/backup-reader.js";
import { throwIfAborted } from "../../errors.js";
import type { EtcdRevision } from "../../sources/etcd/history.js";
import type { OperationContext } from "../context.js";
import { type BaseDatabase, type BaseFile, openBaseIn } from "./base-database.js";
import type { HistoryTarget } from "./history-target.js";
import type { HistoryAccess } from "./history-access.js";
import type { HistoryLog, StoredPlan } from "./history-log.js";
import { openHistoryBase } from "./open-base.js";
import { PlanChoice } from "./plan-choice.js";
import { BaseFault, LogFault } from "./plan-faults.js";
import { proveBaseIsLive, proveLog } from "./prove-plan.js";
import { resolveTime } from "./resolve-time.js";
import { isOfStoredData } from "./stored-data-error.js";

/** The way to a revision, opened: its base is on this machine, and the log can be read. */
export interface OpenedPlan extends BaseDatabase {
  readonly plan: StoredPlan;
  /** The backup of the base. */
  readonly backup: BackupReader;
  /**
   * The revisions after the base up to that of the plan, checked to follow the base. May be read several times. Errors of it
   * must reach the caller of {@link followHistory}.
   */
  log(): AsyncGenerator<readonly EtcdRevision[], void, void>;
  /** When the revision of the plan was seen, ms since 1970; undefined until the log was read to its end, or without one. */
  readonly seenMs: number | undefined;
}

/**
 * Opens the best way to a moment of etcd's history for `use`. What turns out to be damaged, or not to belong together, is
 * reported and left out, and the next way is tried: `use` may be called again after an error of the backup.
 * `complete` is false where the log lacks what a time would need.
 *
 * @param newFile makes the file for the raw snapshot of each try
 */
export async function followHistory<T>(
  access: HistoryAccess,
  target: HistoryTarget,
  context: Pick<OperationContext, "report" | "signal">,
  newFile: () => Promise<BaseFile>,
  use: (opened: OpenedPlan) => Promise<T>,
): Promise<{ result: T; complete: boolean }> {
  const { report, signal } = context;
  const { history } = access;
  const choice = new PlanChoice(history, target);
  const atTime =
    target.kind === "time" ? await resolveTime(access, target.timeMs, context) : undefined;
  for (;;) {
    throwIfAborted(signal);
    const revision =
      target.kind === "revision" ? target.revision : (atTime?.revision ?? choice.newest(report));
    const plan = choice.plan(revision);
    try {
      await proveLog(access.log, plan, signal).catch((cause: unknown) => {
        throw new LogFault(revision, cause);
      });
      const backup = await openHistoryBase(plan.base, access.passphrase, access.pool, context);
      // What METADATA.bin says may ask for another plan.
      if (!choice.learn(plan, backup)) continue;
      const base = await openBaseIn(await newFile(), backup, context);
      await proveBaseIsLive(access.log, plan, base, signal).catch(async (cause: unknown) => {
        await base.close();
        throw cause;
      });
      const result = await openPlan(access.log, plan, backup, base, context, use);
      return { result, complete: atTime?.complete ?? true };
    } catch (error) {
      const fault = error instanceof LogFault ? error : new BaseFault(plan.base, error);
      if (!isOfBackup(fault.cause)) throw fault.cause;
      choice.exclude(fault, plan);
      report({ type: "warning", message: `${fault.message}; another way is looked for` });
    }
  }
}

async function openPlan<T>(
  log: HistoryLog,
  plan: StoredPlan,
  backup: BackupReader,
  base: BaseDatabase,
  context: Pick<OperationContext, "signal">,
  use: (opened: OpenedPlan) => Promise<T>,
): Promise<T> {
  let seenMs: number | undefined;
  async function* revisions(): AsyncGenerator<readonly EtcdRevision[], void, void> {
    let next = plan.base.revision + 1;
    try {
      for await (const batch of log.after(base, plan, context.signal)) {
        const last = batch.at(-1);
        if (last === undefined) continue;
        // Whoever has what it needs asks for no more.
        next = last.revision + 1;
        seenMs = last.seenMs;
        yield batch;
      }
    } catch (error) {
      // Before the first revision, it is not known whether base or log are wrong.
      throw next === plan.base.revision + 1 ? error : new LogFault(next, error);
    }
  }
  try {
    return await use({
      plan,
      backup,
      ...base,
      log: revisions,
      get seenMs() {
        return seenMs;
      },
    });
  } finally {
    await base.close();
  }
}

/** Whether an error is about what a backup holds, and not about this machine, a store or the target. */
function isOfBackup(error: unknown): boolean {
  return isOfStoredData(error) && error.code !== "ETCD_FILE_IO";
}
