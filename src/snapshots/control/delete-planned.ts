import { BackupToolError, InterruptedError, NotLeaderError } from "../../errors.js";
import { Moment } from "../../flow/moment.js";
import { type Clock, systemClock } from "../../flow/sleep.js";
import { everyGuard, GuardedStore, type WriteGuard } from "../../snapstore/layers/guarded.js";
import type { SnapStore } from "../../snapstore/store.js";
import type { SnapshotFacts } from "../catalog.js";
import { deleteSnapshot, REJECTED_DELETIONS, type Removed } from "../delete.js";
import { dependentsFirst } from "../dependents-first.js";
import { heldNames } from "../holds.js";
import { deleteStream } from "../streams/delete-stream.js";
import { compareStreamNames, type StreamName } from "../streams/stream-name.js";
import type { SnapshotName } from "../name.js";
import { retireName } from "./name-claim.js";
import { pinnedNames } from "./pins.js";
import { publishPlan } from "./plans.js";
import { keepReserve } from "./reserve.js";
import { removeStaleFiles } from "./stale.js";

/** What is about to be deleted. */
export interface DeletionTarget {
  readonly name: SnapshotName;
  readonly facts?: Pick<SnapshotFacts, "id" | "base"> | undefined;
}

/** A stream of deltas that is about to be deleted. */
export interface StreamTarget {
  readonly name: StreamName;
  /** Names of snapshots and streams that its deltas need. */
  readonly needs: ReadonlySet<string>;
}

/** The state of the store at a second look. */
export interface SecondLook {
  /** Snapshots that a backup or copy needs which is being made, and streams that are written; what they need is needed too. */
  readonly pinned: ReadonlySet<string>;
  /** The time by the store's clock, when the plan was published. */
  readonly storeTime: Date;
  /** The same moment by this machine's clock. */
  readonly machineTime: Date;
}

export interface PlannedDeletionOptions {
  /**
   * Time between the plan and the second look, ms. For a leader, the time after which no other process can lead that
   * has not seen the plan; 0 for a command.
   */
  readonly waitMs: number;
  /** Deleted before the snapshots. */
  readonly streams?: readonly StreamTarget[] | undefined;
  /** Asked before each call that changes the store. */
  readonly guard?: WriteGuard | undefined;
  /**
   * Decides again, by a new listing, after the plan is published: resolves with the names that are still to be deleted.
   * May throw to delete nothing more.
   */
  recheck(look: SecondLook): Promise<ReadonlySet<string>>;
  onDeleted(name: SnapshotName | StreamName, removed: Removed): void;
  /** Called for what could not be deleted. What that needs is kept. */
  onFailed(name: SnapshotName | StreamName, error: BackupToolError): void;
  readonly signal: AbortSignal;
  readonly clock?: Clock | undefined;
}

/** A second look counts for so long, ms. */
const LOOK_AGAIN_MS = 10 * 60_000;

/**
 * Deletes snapshots so that no incremental loses its base. An incremental that is being made pins its base and then
 * looks for plans; a deletion publishes its plan and then looks for pins. One of them sees the other, however long
 * either of them is paused in between. The deletion of a stream takes long: what is held or pinned meanwhile ends it. Streams go first, the newest of them before those that it goes on from; then
 * incrementals before their bases, and each manifest before its files.
 */
export async function deletePlanned(
  store: SnapStore,
  targets: readonly DeletionTarget[],
  options: PlannedDeletionOptions,
): Promise<void> {
  const streams = [...(options.streams ?? [])].sort((a, b) => compareStreamNames(b.name, a.name));
  if (targets.length + streams.length === 0) return;
  const { guard, waitMs, signal, clock = systemClock } = options;
  const names = [...streams, ...targets].map(({ name }) => name.text);
  const ofLeader = guard === undefined ? store : new GuardedStore(store, guard);
  const plan = await publishPlan(ofLeader, names, signal);
  const times = { storeTime: plan.storeTime, machineTime: new Date() };
  // A clock that is ahead ends no pin.
  const now = new Date(Math.min(times.storeTime.getTime(), times.machineTime.getTime()));
  const guarded = new GuardedStore(store, everyGuard(guard, plan));
  /** Ids of backups that something needs which stays, and names that deltas need which stay. */
  const needed = new Set<string>();
  /** Whether a deletion may still reach the store. */
  let unsettled = false;
  let look: Look | undefined;
  const lookNow = async (): Promise<Look> => {
    const at = Moment.now();
    // Before the look: what is added later is missing here.
    const seen = await protectedNames(store, now, signal);
    return { at, seen, still: await lookAgain(store, now, times, options) };
  };
  /** Throws SNAPSHOT_HELD if a hold or pin that was put since the last look keeps a stream. */
  const checkStill = async ({ text }: StreamName): Promise<void> => {
    const { seen } = look ?? {};
    const names = await protectedNames(store, now, signal);
    if (seen !== undefined && [...names].every((name) => seen.has(name))) return;
    look = await lookNow();
    if (look.still.has(text)) return;
    throw new BackupToolError(
      "SNAPSHOT_HELD",
      `what is left of ${text} in ${store.name} stays: it was held, or is needed, since its deletion was planned`,
    );
  };
  /** Returns whether it is gone. */
  const remove = async (
    name: SnapshotName | StreamName,
    work: () => Promise<Removed>,
  ): Promise<boolean> => {
    if (look === undefined || look.at.elapsedMs() > LOOK_AGAIN_MS) {
      look = await lookNow();
    }
    if (!look.still.has(name.text) || needed.has(name.text)) return false;
    try {
      options.onDeleted(name, await work());
      return true;
    } catch (error) {
      unsettled ||= !isBeforeDeletion(error);
      if (!isOfOneSnapshot(error)) throw error;
      options.onFailed(name, error);
      return false;
    }
  };
  const deletion = { dryRun: false, signal };
  try {
    if (waitMs > 0) await clock.sleep(waitMs, signal);
    for (const { name, needs } of streams) {
      const check = () => checkStill(name);
      if (await remove(name, () => deleteStream(guarded, name, { ...deletion, check }))) continue;
      for (const need of needs) needed.add(need);
    }
    for (const { name, facts } of dependentsFirst(targets)) {
      const isNeeded = facts !== undefined && needed.has(facts.id);
      const isGone =
        !isNeeded &&
        (await remove(name, async () => {
          await retireName(guarded, name, plan.storeTime, signal);
          return await deleteSnapshot(guarded, name.text, deletion);
        }));
      if (!isGone && facts?.base != null) needed.add(facts.base);
    }
    await removeStaleFiles(guarded, now, signal);
  } finally {
    if (unsettled) await plan.leave();
    else await plan.remove();
  }
  await keepReserve(ofLeader, signal);
}

/** What a second look saw. */
interface Look {
  readonly at: Moment;
  /** All names that were held or pinned. */
  readonly seen: ReadonlySet<string>;
  /** Names that are still to be deleted. */
  readonly still: ReadonlySet<string>;
}

/** All names that are held or pinned, in two listings. */
async function protectedNames(
  store: SnapStore,
  now: Date,
  signal: AbortSignal,
): Promise<Set<string>> {
  const [held, pinned] = await Promise.all([
    heldNames(store, signal),
    pinnedNames(store, now, signal),
  ]);
  return new Set([...held, ...pinned]);
}

/** The names that are still to be deleted. */
async function lookAgain(
  store: SnapStore,
  now: Date,
  times: Pick<SecondLook, "storeTime" | "machineTime">,
  { recheck, signal }: PlannedDeletionOptions,
): Promise<ReadonlySet<string>> {
  const pinned = await pinnedNames(store, now, signal);
  const still = new Set(await recheck({ pinned, ...times }));
  for (const name of pinned) still.delete(name);
  return still;
}

/** Whether the error says that nothing was sent to the store yet. */
function isBeforeDeletion(error: unknown): boolean {
  return error instanceof BackupToolError && REJECTED_DELETIONS.has(error.code);
}

/** Whether other snapshots can be deleted all the same. */
function isOfOneSnapshot(error: unknown): error is BackupToolError {
  if (!(error instanceof BackupToolError)) return false;
  const ofAll = error instanceof InterruptedError || error instanceof NotLeaderError;
  return !ofAll && error.code !== "NOT_RENEWED";
}
