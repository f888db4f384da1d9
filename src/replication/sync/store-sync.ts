import { setMaxListeners } from "node:events";
import { ArchiveError } from "../../archive/errors.js";
import { BackupToolError, InterruptedError, NotLeaderError } from "../../errors.js";
import type { Listings } from "../copy/planned.js";
import { snapshotConflict } from "../copy/snapshot.js";
import { orSyncError } from "./copy-failures.js";
import { copyLacking } from "./copy-lacking.js";
import { FailingStore } from "./failing-store.js";
import { lagOf } from "./lag.js";
import { type DeletionLook, Mirror } from "./mirror.js";
import type { MirrorPlan } from "./mirror-plan.js";
import { afterCopy, lackingOf, planSync, type SyncPlan } from "./sync-plan.js";
import type { SyncReports, SyncSettings, SyncSite, SyncTotals } from "./sync-run.js";

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
  async run(given: SyncSettings, reports: SyncReports): Promise<SyncTotals> {
    const signal = AbortSignal.any([given.signal]);
    // Each call in flight adds listeners.
    setMaxListeners(0, signal);
    const settings = { ...given, signal };
    const listings = await this.#list(signal);
    await reports.onListed(listings.source, listings.target);
    const held = await this.#held(settings, signal);
    const plan = planSync({ ...listings, held, wanted: settings.wanted });
    const after = { source: listings.source, target: afterCopy(listings.target, plan.copy) };
    const mirror = await this.#planMirror(after, held, settings);
    reports.onPlanned(plan, mirror, lagOf(lackingOf(plan), new Date()));
    this.#reportUncopied(plan, listings, reports);
    const stores = { source: this.#source, target: this.#target };
    const copies = await copyLacking(stores, plan, listings, settings, reports);
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
    held: ReadonlySet<string>,
    { mirror, signal }: SyncSettings,
  ): Promise<MirrorPlan | undefined> {
    if (mirror === undefined) return undefined;
    return await orSyncError("target", this.#target.name, () =>
      this.#mirror.plan(listings, { rules: mirror.rules, held, signal }),
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

  /** A failure is reported, and does not end the sync. */
  async #delete(
    plan: MirrorPlan,
    settings: SyncSettings,
    reports: SyncReports,
  ): Promise<Pick<SyncTotals, "deleted" | "notDeleted">> {
    const { due, refusal } = plan;
    if (refusal !== undefined && (due.length > 0 || refusal === "source-empty")) {
      reports.onRefused(refusal, plan);
    }
    if (refusal !== undefined || due.length === 0) return NO_DELETIONS;
    const { signal, mirror } = settings;
    let deleted = 0;
    let notDeleted = 0;
    const recheck = async ({ pinned }: DeletionLook): Promise<ReadonlySet<string>> => {
      const listings = await this.#list(signal);
      const held = new Set([...(await this.#held(settings, signal)), ...pinned]);
      const again = (await this.#planMirror(listings, held, settings)) ?? plan;
      if (again.refusal !== undefined) reports.onRefused(again.refusal, again);
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
    return { deleted, notDeleted };
  }
}

const NO_DELETIONS = { deleted: 0, notDeleted: 0 };
