import type { BackupToolError } from "../../errors.js";
import { inParallel } from "../../flow/in-parallel.js";
import type { StoredSnapshot } from "../../snapshots/catalog.js";
import type { Removed } from "../../snapshots/delete.js";
import { manifestKey } from "../../snapshots/manifest.js";
import type { SnapStore } from "../../snapstore/store.js";
import type { StoreContents } from "../../snapshots/list-store.js";
import { newestKey } from "../../snapshots/streams/stored-stream.js";
import { LossRecords } from "../../snapshots/control/losses.js";
import { Absences } from "./absences.js";
import { type JudgedLosses, judgeLosses, type RefusedLoss } from "./losses.js";
import {
  type MirrorPlan,
  type MirrorRules,
  planMirror,
  type StreamDeletion,
} from "./mirror-plan.js";

/** Requests for locks, and for manifests of the source, at the same time. */
const WINDOW = 8;

/** What a deletion sees right before it deletes. */
export interface DeletionLook {
  /** Names of snapshots that an incremental needs which is being made. */
  readonly pinned: ReadonlySet<string>;
}

/** What a mirror deletes: streams before the snapshots that their deltas may need. */
export interface MirrorTargets {
  readonly snapshots: readonly StoredSnapshot[];
  readonly streams: readonly StreamDeletion[];
}

/** Deletes snapshots and streams of the target. The rules are asked once more when the deletion has been announced. */
export type PlannedDeletion = (
  targets: MirrorTargets,
  options: {
    /** Resolves with the names that are still to be deleted. */
    recheck(look: DeletionLook): Promise<ReadonlySet<string>>;
    onDeleted(name: { readonly text: string }, removed: Removed): void;
    /** Called for a snapshot or stream that could not be deleted. */
    onFailed(name: { readonly text: string }, error: BackupToolError): void;
  },
) => Promise<void>;

export interface MirrorOptions {
  readonly rules: MirrorRules;
  /** Names of held snapshots of the target. */
  readonly held: ReadonlySet<string>;
  /** Of the target, before this run copied anything. */
  readonly before: readonly StoredSnapshot[];
  readonly signal: AbortSignal;
}

/** A plan, with what it keeps since the source has lost it. */
export interface JudgedPlan extends MirrorPlan {
  readonly losses: readonly RefusedLoss[];
}

/** Plans what goes from the target of a sync, and remembers what that needs from one sync to the next. */
export class Mirror {
  readonly #source: SnapStore;
  readonly #target: SnapStore;
  readonly #now: () => number;
  readonly #absences = new Absences();
  readonly #losses: LossRecords;
  /** By name: until when the target's store rejects to delete it; null if it did not when asked. */
  readonly #locks = new Map<string, Date | null>();

  /** @param now milliseconds of a clock that is never set */
  constructor(source: SnapStore, target: SnapStore, now: () => number) {
    this.#source = source;
    this.#target = target;
    this.#now = now;
    this.#losses = new LossRecords(target);
  }

  /** Asks the target for locks, once for each snapshot that is due, and notes what is gone. Throws StoreError. */
  async plan(
    { source, target }: { readonly source: StoreContents; readonly target: StoreContents },
    options: MirrorOptions,
  ): Promise<JudgedPlan> {
    const { rules, held, before, signal } = options;
    const now = this.#now();
    let losses: JudgedLosses = { names: new Set(), refused: [] };
    const plan = (): JudgedPlan => ({
      ...planMirror({
        ...rules,
        source: source.snapshots,
        target: target.snapshots,
        streams: { source: source.streams, target: target.streams, now: new Date() },
        held,
        locked: this.#locked(),
        refused: losses.names,
        absentMs: (name) => this.#absences.durationMs(name, now),
      }),
      losses: losses.refused,
    });
    const { absent } = plan();
    if (absent === undefined) return plan();
    this.#absences.update(absent, now);
    for (const name of this.#locks.keys()) if (!absent.has(name)) this.#locks.delete(name);
    const { maxDeleteFraction } = rules;
    losses = await judgeLosses(this.#losses, { absent, target: before, maxDeleteFraction }, signal);
    const judged = plan();
    const unknown = [
      ...judged.due.map(({ name }) => [name.text, manifestKey(name.text)] as const),
      ...judged.dueStreams.map(({ stream }) => [stream.name.text, newestKey(stream)] as const),
    ].filter(([name]) => !this.#locks.has(name));
    await inParallel(unknown, WINDOW, async ([name, key]) => {
      const object = await this.#target.head(key, signal);
      this.#locks.set(name, object?.lockedUntil ?? null);
    });
    return unknown.length === 0 ? judged : plan();
  }

  /**
   * Names of the plan that are to be deleted by a new listing too, and that the source does not have: a listing may be
   * late, or show a part of what there is.
   */
  async stillDue(plan: MirrorPlan, again: MirrorPlan, signal: AbortSignal): Promise<Set<string>> {
    const before = new Set([
      ...plan.due.map(({ name }) => name.text),
      ...plan.dueStreams.map(({ stream: { name } }) => name.text),
    ]);
    const due = new Set<string>();
    if (again.refusal !== undefined) return due;
    await inParallel(
      again.dueStreams,
      WINDOW,
      async ({
        stream: {
          name: { text },
        },
      }) => {
        if (!before.has(text)) return;
        const { objects } = await this.#source.list(`${text}/`, { limit: 1, signal });
        if (objects.length === 0) due.add(text);
        else this.#absences.forget(text);
      },
    );
    await inParallel(again.due, WINDOW, async ({ name: { text } }) => {
      if (!before.has(text)) return;
      if ((await this.#source.head(manifestKey(text), signal)) === undefined) due.add(text);
      else this.#absences.forget(text);
    });
    return due;
  }

  #locked(): Set<string> {
    const now = new Date();
    const locked = [...this.#locks].filter(([, until]) => until !== null && until > now);
    return new Set(locked.map(([name]) => name));
  }
}
