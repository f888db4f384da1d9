import { setMaxListeners } from "node:events";
import { ArchiveError } from "../../archive/errors.js";
import { BackupToolError, InterruptedError, NotLeaderError } from "../../errors.js";
import type { StoredSnapshot } from "../../snapshots/catalog.js";
import type { Removed } from "../../snapshots/delete.js";
import type { SnapshotName } from "../../snapshots/name.js";
import type { SnapStore } from "../../snapstore/store.js";
import {
  copyPlanned,
  type KeepBase,
  type Listings,
  type PlannedCopySettings,
} from "../copy/planned.js";
import { type CopyResult, snapshotConflict } from "../copy/snapshot.js";
import { CopyFailures, orSyncError } from "./copy-failures.js";
import { FailingStore } from "./failing-store.js";
import { lagOf, type SyncLag } from "./lag.js";
import { type DeletionLook, type JudgedPlan, Mirror, type PlannedDeletion } from "./mirror.js";
import type { MirrorPlan, MirrorRefusal, MirrorRules } from "./mirror-plan.js";
import { SyncError, type SyncSide } from "./sync-error.js";
import { afterCopy, lackingOf, planSync, type SyncPlan, type SyncState } from "./sync-plan.js";

/** A store and its snapshots; both retry their calls. */
export interface SyncSite {
  readonly store: SnapStore;
  readonly catalog: { list(signal: AbortSignal): Promise<readonly StoredSnapshot[]> };
}

export interface SyncSettings extends Omit<PlannedCopySettings, "keepOthers" | "keepBase"> {
  readonly wanted?: SyncState["wanted"];
  /** Names of snapshots of the target that must not be deleted. */
  readonly held: (signal: AbortSignal) => Promise<ReadonlySet<string>>;
  /**
   * Keeps a snapshot of the target while `copy` copies an incremental over it: the retention of the target may run at
   * the same time. `copy` calls its argument right before the manifest.
   */
  readonly keepBase: (
    base: string,
    copy: (beforeManifest: () => Promise<void>) => Promise<CopyResult>,
  ) => Promise<CopyResult>;
  /** What is gone from the source goes from the target. By default nothing is deleted. */
  readonly mirror?: { readonly rules: MirrorRules; readonly remove: PlannedDeletion } | undefined;
}

export interface SyncReports {
  /** Called with the snapshots of both stores. */
  onListed(source: readonly StoredSnapshot[], target: readonly StoredSnapshot[]): Promise<void>;
  onPlanned(plan: SyncPlan, mirror: MirrorPlan | undefined, lag: SyncLag): void;
  onBegin(snapshot: StoredSnapshot): void;
  onProgress(done: number, total: number): void;
  onCopied(snapshot: string, result: CopyResult): void;
  /** A snapshot that the target lacks, or has without its base. `side`: the store whose call failed. */
  onNotCopied(snapshot: string, error: BackupToolError, side: SyncSide | undefined): void;
  /** Nothing is deleted of these snapshots: `due` of the `complete` ones that the target has, or had then. */
  onRefused(
    refusal: MirrorRefusal,
    counts: { readonly due: number; readonly complete: number },
  ): void;
  onDeleted(name: SnapshotName, removed: Removed): void;
  /** Without a name no further snapshot is deleted. */
  onNotDeleted(name: SnapshotName | undefined, error: BackupToolError): void;
}

export interface SyncTotals {
  readonly copied: number;
  readonly repaired: number;
  readonly present: number;
  /** Could not be copied. */
  readonly failed: number;
  /** Not copied because the target has another backup of the name, or of that of a base. */
  readonly conflicts: number;
  readonly deleted: number;
  readonly notDeleted: number;
  /** Why a mirror did not delete what has gone from the source: a person has to look at it. */
  readonly refusal?: MirrorRefusal | undefined;
  /** What the target lacks now. */
  readonly lag: SyncLag;
}

/**
 * Keeps the target in step with the source, one run at a time. It writes nothing to the source, and never replaces a
 * complete snapshot of the target.
 */
export class StoreSync {
  readonly #source: FailingStore;
  readonly #target: FailingStore;
  readonly #catalogs: {
    readonly source: SyncSite["catalog"];
    readonly target: SyncSite["catalog"];
  };
  readonly #mirror: Mirror;

  /** @param now milliseconds of a clock that is never set */
  constructor(source: SyncSite, target: SyncSite, now: () => number = () => performance.now()) {
    this.#source = new FailingStore(source.store);
    this.#target = new FailingStore(target.store);
    this.#catalogs = { source: source.catalog, target: target.catalog };
    this.#mirror = new Mirror(this.#source, this.#target, now);
  }

  /**
   * Copies what the target lacks, then deletes what has gone from the source. A snapshot that cannot be copied or
   * deleted is reported, and the others continue. Throws SyncError if one of the stores fails, and InterruptedError.
   */
  async run(settings: SyncSettings, reports: SyncReports): Promise<SyncTotals> {
    const { signal } = settings;
    const listings = await this.#list(signal);
    await reports.onListed(listings.source, listings.target);
    const held = await this.#held(settings, signal);
    const plan = planSync({ ...listings, held, wanted: settings.wanted });
    const after = { source: listings.source, target: afterCopy(listings.target, plan.copy) };
    const mirror = await this.#planMirror(after, listings.target, held, settings);
    reports.onPlanned(plan, mirror, lagOf(lackingOf(plan), new Date()));
    this.#reportUncopied(plan, listings, reports);
    const copies = await this.#copy(plan, listings, settings, reports);
    const deletions =
      mirror === undefined ? NO_DELETIONS : await this.#delete(mirror, settings, reports);
    const conflicts = plan.conflicts.length + plan.blocked.length;
    return { ...copies, ...deletions, conflicts };
  }

  async #list(signal: AbortSignal): Promise<Listings> {
    const [source, target] = await Promise.allSettled([
      orSyncError("source", this.#source.name, () => this.#catalogs.source.list(signal)),
      orSyncError("target", this.#target.name, () => this.#catalogs.target.list(signal)),
    ]);
    if (source.status === "rejected") throw source.reason;
    if (target.status === "rejected") throw target.reason;
    return { source: source.value, target: target.value };
  }

  #held({ held }: SyncSettings, signal: AbortSignal): Promise<ReadonlySet<string>> {
    return orSyncError("target", this.#target.name, () => held(signal));
  }

  async #planMirror(
    listings: Listings,
    before: readonly StoredSnapshot[],
    held: ReadonlySet<string>,
    { mirror, signal }: SyncSettings,
  ): Promise<JudgedPlan | undefined> {
    if (mirror === undefined) return undefined;
    return await orSyncError("target", this.#target.name, () =>
      this.#mirror.plan(listings, { rules: mirror.rules, held, before, signal }),
    );
  }

  /** Reports what a sync cannot copy, each time: a person has to look at it. */
  #reportUncopied(plan: SyncPlan, { source, target }: Listings, reports: SyncReports): void {
    for (const { name } of plan.conflicts) {
      reports.onNotCopied(name.text, snapshotConflict(this.#target, name.text), undefined);
    }
    for (const { name } of plan.blocked) {
      const message = "the target has another backup under the name of its base";
      reports.onNotCopied(name.text, new BackupToolError("NO_BASE", message), undefined);
    }
    const complete = new Set(
      target.filter(({ state }) => state === "complete").map(({ name }) => name.text),
    );
    for (const { name, state, problem } of source) {
      if (state !== "damaged" || complete.has(name.text)) continue;
      const error = new ArchiveError("DAMAGED", `in ${this.#source.name}: ${problem}`);
      reports.onNotCopied(name.text, error, "source");
    }
  }

  async #copy(
    plan: SyncPlan,
    listings: Listings,
    settings: SyncSettings,
    reports: SyncReports,
  ): Promise<Omit<SyncTotals, "conflicts" | "deleted" | "notDeleted" | "refusal">> {
    const stop = new AbortController();
    const signal = AbortSignal.any([settings.signal, stop.signal]);
    // Each call in flight adds listeners.
    setMaxListeners(0, signal);
    const failures = new CopyFailures({ source: this.#source, target: this.#target });
    /** Copied, or not in the source any more. */
    const done = new Set<string>();
    const lag = (): SyncLag =>
      lagOf(
        lackingOf(plan).filter(({ name }) => !done.has(name.text)),
        new Date(),
      );
    let failed = 0;
    if (plan.copy.length === 0) return { copied: 0, repaired: 0, present: 0, failed, lag: lag() };
    const onFailed = async (snapshot: string, error: BackupToolError): Promise<void> => {
      try {
        if (done.has(snapshot)) {
          // It is there, without its base.
          reports.onNotCopied(snapshot, error, undefined);
          return;
        }
        if (await failures.isGone(snapshot, error, signal)) {
          done.add(snapshot);
          return;
        }
        failed++;
        reports.onNotCopied(snapshot, error, failures.sideOf(error));
        await failures.check(snapshot, error, signal);
      } catch (failure) {
        stop.abort(failure);
        throw failure;
      }
    };
    const bases = basesInTarget(plan.copy, listings.target);
    const keepBase: KeepBase = ({ facts }, copy) => {
      const base = bases.get(facts?.base ?? undefined);
      return base === undefined ? copy(async () => {}) : settings.keepBase(base, copy);
    };
    try {
      const totals = await copyPlanned(
        this.#source,
        this.#target,
        { plan: plan.copy, ...listings },
        { ...settings, keepOthers: true, keepBase, signal },
        {
          onBegin: (snapshot) => reports.onBegin(snapshot),
          onProgress: (bytes, total) => reports.onProgress(bytes, total),
          onCopied: (snapshot, result) => {
            failures.succeeded();
            done.add(snapshot);
            reports.onCopied(snapshot, result);
          },
          onFailed,
        },
      );
      return { ...totals, failed, lag: lag() };
    } catch (error) {
      // Copies that were stopped end with an interruption, perhaps before the failure that stopped them.
      const { aborted, reason } = stop.signal;
      if (!aborted || settings.signal.aborted) throw error;
      throw reason instanceof SyncError ? reason.withLag(lag()) : reason;
    }
  }

  /** A failure is reported, and does not end the sync. */
  async #delete(
    plan: JudgedPlan,
    settings: SyncSettings,
    reports: SyncReports,
  ): Promise<Pick<SyncTotals, "deleted" | "notDeleted" | "refusal">> {
    const { due, losses } = plan;
    let refusal: MirrorRefusal | undefined;
    const refuse = (why: MirrorRefusal, due: number, complete: number): void => {
      refusal ??= why;
      reports.onRefused(why, { due, complete });
    };
    if (plan.refusal !== undefined && (due.length > 0 || plan.refusal === "source-empty")) {
      refuse(plan.refusal, due.length, plan.complete);
    }
    for (const { refusal: why, lost, of } of losses) refuse(why, lost, of);
    if (plan.refusal !== undefined || due.length === 0) return { ...NO_DELETIONS, refusal };
    const { signal, mirror } = settings;
    let deleted = 0;
    let notDeleted = 0;
    const recheck = async ({ pinned }: DeletionLook): Promise<ReadonlySet<string>> => {
      const listings = await this.#list(signal);
      const held = new Set([...(await this.#held(settings, signal)), ...pinned]);
      const { target } = listings;
      const again = (await this.#planMirror(listings, target, held, settings)) ?? plan;
      if (again.refusal !== undefined) refuse(again.refusal, again.due.length, again.complete);
      return await this.#mirror.stillDue(plan, again, signal);
    };
    try {
      await mirror?.remove(due, {
        recheck,
        onDeleted: (name, removed) => {
          deleted++;
          reports.onDeleted(name, removed);
        },
        onFailed: (name, error) => {
          notDeleted++;
          reports.onNotDeleted(name, error);
        },
      });
    } catch (error) {
      const endsAll = error instanceof InterruptedError || error instanceof NotLeaderError;
      if (endsAll || !(error instanceof BackupToolError)) throw error;
      notDeleted++;
      reports.onNotDeleted(undefined, error);
    }
    return { deleted, notDeleted, refusal };
  }
}

/** The names of backups in the target, by id: those to be copied, and those that are there. */
function basesInTarget(
  copies: readonly StoredSnapshot[],
  target: readonly StoredSnapshot[],
): Map<string | undefined, string> {
  const complete = target.filter(({ state }) => state === "complete");
  return new Map([...copies, ...complete].map(({ name, facts }) => [facts?.id, name.text]));
}

const NO_DELETIONS = { deleted: 0, notDeleted: 0 };
