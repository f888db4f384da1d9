import type { BackupReader } from "../../archive/backup-reader.js";
import { ArchiveError } from "../../archive/errors.js";
import { BackupToolError, withHint } from "../../errors.js";
import type { OperationContext } from "../context.js";
import { LogError } from "../../snapshots/streams/log-errors.js";
import type { HistoryTarget } from "./history-target.js";
import type { StoredPlan } from "./history-log.js";
import { type Unreadable, unreadableIn } from "./plan/filled-line.js";
import { isOfMoment } from "./plan/live-plan.js";
import { newestRevision } from "./plan/newest-revision.js";
import {
  type HistoryBase,
  planRevision,
  type PlanOptions,
  type RevisionRange,
  restorableRanges,
} from "./plan/plan-history.js";
import { BaseFault, type LogFault } from "./plan-faults.js";
import type { HistoryContents, StoredHistoryBase } from "./stored-history.js";

/** Which bases and which parts of the log are left to use, and what is known of them. */
export class PlanChoice {
  readonly #history: HistoryContents;
  /** By the place of their files; also those that cannot be used. */
  readonly #known: Map<string, StoredHistoryBase>;
  readonly #left: Set<string>;
  readonly #options: PlanOptions;
  readonly #unreadable: Unreadable[] = [];
  #fault: BaseFault | LogFault | undefined;
  #isOpened = false;
  /** What was warned of. */
  readonly #told = new Set<string>();

  constructor(history: HistoryContents, target: HistoryTarget) {
    this.#history = history;
    this.#known = new Map(history.bases.map((base) => [base.files.where, base]));
    this.#left = new Set(this.#known.keys());
    this.#options = {
      asOfMs: target.kind === "time" ? target.timeMs : undefined,
      // A revision can be of any history, and a backup that was named is taken as it is.
      live: target.kind === "time" || (target.kind === "newest" && !history.named),
    };
  }

  newest(report: OperationContext["report"]): number {
    const { named, streams } = this.#history;
    // Of a backup that was named, its own revision.
    const newest = newestRevision(this.#bases, named ? [] : streams, this.#evidence);
    if (newest === undefined) throw this.#notHeld("the newest revision");
    const { revision, doubtful, undone } = newest;
    const warn = (message: string): void => {
      if (!this.#told.has(message)) report({ type: "warning", message });
      this.#told.add(message);
    };
    for (const { name, revision: its } of doubtful.slice(0, MAX_DOUBTFUL)) {
      warn(
        `revision ${revision} is taken for the newest; ${name} has revision ${its}, and may be of a newer state of etcd that the deltas do not lead to: name it to restore it`,
      );
    }
    if (undone !== undefined) {
      warn(
        `revision ${revision} is taken for the newest: a raw snapshot that was begun later lacks what is held up to revision ${undone}, so etcd was restored to its past; --target-revision ${undone} restores what it was before`,
      );
    }
    return revision;
  }

  plan(revision: number): StoredPlan {
    const unreadable = this.#unreadable;
    const options = { ...this.#options, evidence: this.#evidence, unreadable };
    const plans = planRevision(this.#bases, this.#history.streams, revision, options);
    const plan = plans.find(({ log }) =>
      log.every((segment) => unreadableIn(segment, unreadable).length === 0),
    );
    if (plan === undefined) throw this.#notHeld(`revision ${revision}`);
    return plan;
  }

  get #evidence(): HistoryBase[] {
    return [...this.#known.values(), ...this.#history.damaged];
  }

  get #bases(): StoredHistoryBase[] {
    return [...this.#known.values()].filter(({ files }) => this.#left.has(files.where));
  }

  /** Takes what the backup says of its raw snapshot; false where the plan has to be made anew. */
  learn({ base, revision }: StoredPlan, { metadata }: BackupReader): boolean {
    this.#isOpened = true;
    const { snapshot } = metadata.etcd ?? {};
    if (!snapshot) return true;
    const { compactRevision, revision: actual } = snapshot;
    if (base.compactRevision === compactRevision && base.revision === actual) return true;
    this.#known.set(base.files.where, {
      ...base,
      revision: actual,
      compactRevision,
      begunMs: Math.min(base.begunMs, Date.parse(metadata.startedAt)),
      takenMs: Date.parse(metadata.finishedAt),
    });
    return actual === base.revision && (actual <= revision || compactRevision <= revision);
  }

  exclude(fault: BaseFault | LogFault, { log }: StoredPlan): void {
    const { cause } = fault;
    const wrongPassphrase = cause instanceof ArchiveError && cause.code === "WRONG_PASSPHRASE";
    // Each further base would cost a derivation of keys.
    if (wrongPassphrase && !this.#isOpened) throw cause;
    this.#fault ??= fault;
    if (fault instanceof BaseFault) this.#excludeBase(fault);
    else {
      // Another stream may have the same revision.
      const { revision } = fault;
      const segment = log.find(({ first, last }) => first <= revision && revision <= last);
      if (segment === undefined) throw cause;
      this.#unreadable.push({ stream: segment.stream, revision });
    }
  }

  /** Throws where base and log are of two histories, and nothing tells which of them etcd had last. */
  #excludeBase({ base, cause }: BaseFault): void {
    const { where } = base.files;
    const { live, asOfMs } = this.#options;
    this.#left.delete(where);
    if (!(cause instanceof LogError) || cause.code !== "LOG_FORK" || live !== true) return;
    const known = this.#known.get(where) ?? base;
    if (!isOfMoment(known, this.#evidence, this.#history.streams, asOfMs)) return;
    throw new BackupToolError(
      "HISTORY_UNCERTAIN",
      `${base.name} has revision ${known.revision} of another history of etcd than the deltas, and their times do not tell which one is newer`,
      {
        cause,
        hint: "name one of them: that raw snapshot, or the revision to which the deltas lead",
        settings: ["snapshot", "target-revision"],
      },
    );
  }

  #notHeld(what: string): unknown {
    const { where, streams } = this.#history;
    const ranges = restorableRanges(this.#bases, streams, {
      evidence: this.#evidence,
      unreadable: this.#unreadable,
    });
    const hint = ranges.length === 0 ? undefined : `it holds ${rangesText(ranges)}`;
    const { cause } = this.#fault ?? {};
    if (cause instanceof BackupToolError && hint !== undefined) {
      return withHint(cause, { hint: `${where} does not hold ${what} whole; ${hint}` });
    }
    if (cause !== undefined) return cause;
    return new BackupToolError("REVISION_NOT_HELD", `${where} does not hold ${what} of etcd`, {
      hint,
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
