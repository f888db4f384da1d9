import type { BackupReader } from "../../archive/backup-reader.js";
import { ArchiveError } from "../../archive/errors.js";
import { BackupToolError, errorMessage, throwIfAborted } from "../../errors.js";
import { LogError } from "../../snapshots/streams/log-errors.js";
import { EtcdFileError } from "../../sources/etcd/file/errors.js";
import type { EtcdRevision } from "../../sources/etcd/history.js";
import type { OperationContext } from "../context.js";
import { type BaseDatabase, type BaseFile, openBaseIn } from "./base-database.js";
import type { HistoryTarget } from "./history-target.js";
import type { HistoryAccess } from "./history-access.js";
import type { HistoryLog, StoredPlan } from "./history-log.js";
import { openHistoryBase } from "./open-base.js";
import {
  newestRevision,
  planRevision,
  type RevisionRange,
  restorableRanges,
} from "./plan/plan-history.js";
import { resolveTime } from "./resolve-time.js";
import type { HistoryContents, StoredHistoryBase } from "./stored-history.js";

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
  const choice = new BaseChoice(history);
  const atTime =
    target.kind === "time" ? await resolveTime(access, target.timeMs, context) : undefined;
  for (;;) {
    throwIfAborted(signal);
    const revision =
      target.kind === "revision" ? target.revision : (atTime?.revision ?? choice.newest(report));
    const plan = choice.plan(revision, target.kind === "time" ? target.timeMs : undefined);
    try {
      const backup = await openHistoryBase(plan.base, access.passphrase, access.pool, context);
      // What METADATA.bin says may ask for another plan.
      if (!choice.learn(plan, backup)) continue;
      const base = await openBaseIn(await newFile(), backup, context);
      const result = await openPlan(access.log, plan, backup, base, context, use);
      return { result, complete: atTime?.complete ?? true };
    } catch (error) {
      const fault = error instanceof LogFault ? error : new BaseFault(plan.base, error);
      if (!isOfBackup(fault.cause)) throw fault.cause;
      choice.exclude(fault);
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

/** Why a base cannot be used. */
class BaseFault extends Error {
  readonly base: StoredHistoryBase;
  override readonly cause: unknown;

  constructor(base: StoredHistoryBase, cause: unknown) {
    super(`the raw snapshot in ${base.files.where} is left out: ${errorMessage(cause)}`);
    this.base = base;
    this.cause = cause;
  }
}

/** Why the log cannot be read from a revision on. */
class LogFault extends Error {
  readonly revision: number;
  override readonly cause: unknown;

  constructor(revision: number, cause: unknown) {
    super(`the deltas cannot be read from revision ${revision} on: ${errorMessage(cause)}`);
    this.revision = revision;
    this.cause = cause;
  }
}

/** Which bases and which parts of the log are left to use, and what is known of them. */
class BaseChoice {
  readonly #history: HistoryContents;
  /** By the place of their files. */
  readonly #bases: Map<string, StoredHistoryBase>;
  readonly #unreadable: number[] = [];
  #fault: BaseFault | LogFault | undefined;
  #isOpened = false;
  /** Names of the bases that were reported. */
  readonly #doubted = new Set<string>();

  constructor(history: HistoryContents) {
    this.#history = history;
    this.#bases = new Map(history.bases.map((base) => [base.files.where, base]));
  }

  newest(report: OperationContext["report"]): number {
    const { named, streams } = this.#history;
    // Of a backup that was named, its own revision.
    const newest = newestRevision([...this.#bases.values()], named ? [] : streams);
    if (newest === undefined) throw this.#notHeld("the newest revision");
    for (const { name, revision } of newest.doubtful.slice(0, MAX_DOUBTFUL)) {
      if (this.#doubted.has(name)) continue;
      this.#doubted.add(name);
      const message = `revision ${newest.revision} is taken for the newest; ${name} has revision ${revision}, and may be of a newer state of etcd that the deltas do not lead to: name it to restore it`;
      report({ type: "warning", message });
    }
    return newest.revision;
  }

  plan(revision: number, asOfMs: number | undefined): StoredPlan {
    const plans = planRevision([...this.#bases.values()], this.#history.streams, revision, {
      asOfMs,
    });
    const plan = plans.find(
      ({ log }) =>
        !this.#unreadable.some((bad) => log.some(({ first, last }) => first <= bad && bad <= last)),
    );
    if (plan === undefined) throw this.#notHeld(`revision ${revision}`);
    return plan;
  }

  /** Takes what the backup says of its raw snapshot; false where the plan has to be made anew. */
  learn({ base, revision }: StoredPlan, { metadata }: BackupReader): boolean {
    this.#isOpened = true;
    const { snapshot } = metadata.etcd ?? {};
    if (!snapshot) return true;
    const { compactRevision, revision: actual } = snapshot;
    if (base.compactRevision === compactRevision && base.revision === actual) return true;
    const takenMs = Date.parse(metadata.finishedAt);
    this.#bases.set(base.files.where, { ...base, revision: actual, compactRevision, takenMs });
    return actual === base.revision && (actual <= revision || compactRevision <= revision);
  }

  exclude(fault: BaseFault | LogFault): void {
    const { cause } = fault;
    const wrongPassphrase = cause instanceof ArchiveError && cause.code === "WRONG_PASSPHRASE";
    // Each further base would cost a derivation of keys.
    if (wrongPassphrase && !this.#isOpened) throw cause;
    this.#fault ??= fault;
    if (fault instanceof BaseFault) this.#bases.delete(fault.base.files.where);
    else this.#unreadable.push(fault.revision);
  }

  #notHeld(what: string): unknown {
    if (this.#fault !== undefined) return this.#fault.cause;
    const { where, streams } = this.#history;
    const ranges = restorableRanges([...this.#bases.values()], streams);
    return new BackupToolError("REVISION_NOT_HELD", `${where} does not hold ${what} of etcd`, {
      hint: ranges.length === 0 ? undefined : `it holds ${rangesText(ranges)}`,
    });
  }
}

/** Warnings of bases that may be newer. */
const MAX_DOUBTFUL = 4;

/** Ranges in an error. */
const MAX_RANGES = 8;

function rangesText(ranges: readonly RevisionRange[]): string {
  const shown = ranges
    .slice(-MAX_RANGES)
    .map(({ first, last }) => (first === last ? `${first}` : `${first} to ${last}`));
  const left = ranges.length - shown.length;
  return `the revisions ${shown.join(", ")}${left > 0 ? `, and ${left} earlier ranges` : ""}`;
}

/** Whether an error is about what a backup holds, and not about this machine, a store or the target. */
function isOfBackup(error: unknown): boolean {
  if (error instanceof EtcdFileError) return error.code !== "ETCD_FILE_IO";
  return error instanceof ArchiveError || error instanceof LogError;
}
