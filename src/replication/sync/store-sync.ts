import { setMaxListeners } from "node:events";
import { ArchiveError } from "../../archive/errors.js";
import { BackupToolError, InterruptedError, NotLeaderError } from "../../errors.js";
import type { StoreContents } from "../../snapshots/list-store.js";
import { snapshotConflict } from "../copy/snapshot.js";
import { orSyncError } from "./copy-failures.js";
import { copyLacking } from "./copy-lacking.js";
import { FailingStore } from "./failing-store.js";
import { lagOf } from "./lag.js";
import { type DeletionLook, type JudgedPlan, Mirror } from "./mirror.js";
import type { MirrorRefusal } from "./mirror-plan.js";
import { planStreams } from "./stream-plan.js";
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
    const contents = await this.#list(signal);
    const { source, target } = contents;
    const listings = { source: source.snapshots, target: target.snapshots };
    await reports.onListed(listings.source, listings.target);
    const held = await this.#held(settings, signal);
    const streams = { source: source.streams, target: target.streams };
    const plan = planSync({ ...listings, streams, held, wanted: settings.wanted });
    const after = {
      snapshots: afterCopy(listings.target, plan.copy),
      streams: [...planStreams(streams).after],
    };
    const both = { source, target: after };
    const mirror = await this.#planMirror(both, listings.target, held, settings);
    const lacks = plan.streams.map(({ lack }) => lack);
    reports.onPlanned(plan, mirror, lagOf(lackingOf(plan), new Date(), lacks));
    this.#reportUncopied(plan, listings, reports);
    const stores = { source: this.#source, target: this.#target };
    const copies = await copyLacking(stores, plan, listings, settings, reports);
    const deletions =
      mirror === undefined ? NO_DELETIONS : await this.#delete(mirror, settings, reports);
    const conflicts = plan.conflicts.length + plan.blocked.length;
    return { ...copies, ...deletions, conflicts };
  }

  async #list(signal: AbortSignal): Promise<Contents> {
    const [source, target] = await Promise.allSettled([
      orSyncError("source", this.#source.name, () => this.#catalogs.source.listAll(signal)),
      orSyncError("target", this.#target.name, () => this.#catalogs.target.listAll(signal)),
    ]);
    if (source.status === "rejected") throw source.reason;
    if (target.status === "rejected") throw target.reason;
    return { source: source.value, target: target.value };
  }

  #held({ held }: SyncSettings, signal: AbortSignal): Promise<ReadonlySet<string>> {
    return orSyncError("target", this.#target.name, () => held(signal));
  }

  async #planMirror(
    listings: Contents,
    before: StoreContents["snapshots"],
    held: ReadonlySet<string>,
    { mirror, signal }: SyncSettings,
  ): Promise<JudgedPlan | undefined> {
    if (mirror === undefined) return undefined;
    return await orSyncError("target", this.#target.name, () =>
      this.#mirror.plan(listings, { rules: mirror.rules, held, before, signal }),
    );
  }

  /** Reports what a sync cannot copy, each time: a person has to look at it. */
  #reportUncopied(
    plan: SyncPlan,
    { source, target }: Readonly<Record<"source" | "target", StoreContents["snapshots"]>>,
    reports: SyncReports,
  ): void {
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
    plan: JudgedPlan,
    settings: SyncSettings,
    reports: SyncReports,
  ): Promise<Pick<SyncTotals, "deleted" | "notDeleted" | "refusal">> {
    const { due, dueStreams, losses } = plan;
    let refusal: MirrorRefusal | undefined;
    const refuse = (why: MirrorRefusal, due: number, complete: number): void => {
      refusal ??= why;
      reports.onRefused(why, { due, complete });
    };
    if (plan.refusal !== undefined && (due.length > 0 || plan.refusal === "source-empty")) {
      refuse(plan.refusal, due.length, plan.complete);
    }
    for (const { refusal: why, lost, of } of losses) refuse(why, lost, of);
    if (plan.refusal !== undefined || due.length + dueStreams.length === 0) {
      return { ...NO_DELETIONS, refusal };
    }
    const { signal, mirror } = settings;
    let deleted = 0;
    let notDeleted = 0;
    const recheck = async ({ pinned }: DeletionLook): Promise<ReadonlySet<string>> => {
      const listings = await this.#list(signal);
      const held = new Set([...(await this.#held(settings, signal)), ...pinned]);
      const { target } = listings;
      const again = (await this.#planMirror(listings, target.snapshots, held, settings)) ?? plan;
      if (again.refusal !== undefined) refuse(again.refusal, again.due.length, again.complete);
      return await this.#mirror.stillDue(plan, again, signal);
    };
    try {
      await mirror?.remove(
        { snapshots: due, streams: dueStreams },
        {
          recheck,
          onDeleted: (name, removed) => {
            deleted++;
            reports.onDeleted(name, removed);
          },
          onFailed: (name, error) => {
            notDeleted++;
            reports.onNotDeleted(name, error);
          },
        },
      );
    } catch (error) {
      const endsAll = error instanceof InterruptedError || error instanceof NotLeaderError;
      if (endsAll || !(error instanceof BackupToolError)) throw error;
      notDeleted++;
      reports.onNotDeleted(undefined, error);
    }
    return { deleted, notDeleted, refusal };
  }
}

type Contents = Readonly<Record<"source" | "target", StoreContents>>;

const NO_DELETIONS = { deleted: 0, notDeleted: 0 };
