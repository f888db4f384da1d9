import type { BackupToolError } from "../../errors.js";
import { CachedCatalog } from "../../snapshots/cached-catalog.js";
import { deletePlanned } from "../../snapshots/control/delete-planned.js";
import { REJECTED_DELETIONS } from "../../snapshots/delete.js";
import type { StoreOutline } from "../../snapshots/list-store.js";
import { costlyPause } from "../../snapshots/retention/pauses.js";
import type { StoreConfig } from "../../snapstore/config.js";
import type { SnapStore } from "../../snapstore/store.js";
import type { StoreContext } from "../context.js";
import { newestComplete, SeenSnapshots } from "../open/seen-snapshots.js";
import { withStore } from "../open/stores.js";
import { checkClocks, pauseError } from "./retention-checks.js";
import {
  decideContents,
  type DecisionOptions,
  decideStored,
  type Doomed,
  doomedOf,
  type RetentionRules,
  withNeeds,
} from "./store-decisions.js";

export interface RetentionOptions extends Omit<DecisionOptions, "pinned"> {
  /** Report what would be deleted, and delete nothing. */
  readonly dryRun: boolean;
  /** Whether a person answers for what goes. Otherwise a long pause between backups may end the run: RETENTION_PAUSED. */
  readonly attended?: boolean | undefined;
  /** Between the plan and the deletions, ms: {@link PlannedDeletionOptions}. */
  readonly waitMs?: number | undefined;
  /** Called before the first deletion; throws to prevent it. */
  readonly approve?: ((deletions: readonly Deletion[], store: string) => Promise<void>) | undefined;
}

/** A snapshot or stream that is about to be deleted. */
export interface Deletion {
  readonly snapshot: string;
  readonly bytes: number;
}

export interface RetentionTotals {
  readonly kept: number;
  readonly deleted: number;
  readonly failed: number;
}

/** Deletes what the policy does not keep in a store. */
export function pruneStored(
  { store: config, ...options }: RetentionOptions & { readonly store: StoreConfig },
  context: StoreContext,
): Promise<RetentionTotals> {
  const prune = (store: SnapStore) => {
    // It is listed again before the first deletion.
    const catalog = new CachedCatalog(store);
    return pruneStore(store, { list: (signal) => catalog.outline(signal), ...options }, context);
  };
  return withStore(config, prune, undefined, context.guard);
}

/** The same in an open store. Throws CLOCK_WRONG, RETENTION_PAUSED. */
export async function pruneStore(
  store: SnapStore,
  options: RetentionOptions,
  context: StoreContext,
): Promise<RetentionTotals> {
  const { dryRun } = options;
  const { signal, report } = context;
  const place = { store: store.name, dryRun };
  const first = await decideStored(store, options, signal);
  await new SeenSnapshots(context).check(store, newestComplete(first.listed.snapshots));
  const { snapshots, streams } = first.listed;
  report({
    type: "retention-begun",
    snapshots: snapshots.length,
    ...(streams.length > 0 && { streams: streams.length }),
    ...place,
  });
  for (const { stream, keep, reasons } of first.streamDecisions) {
    const { text: name, time } = stream.name;
    const made = new Date(time * 1000).toISOString();
    const facts = { snapshot: name, kind: "stream", time: made, keep, reasons } as const;
    report({ type: "retention-decision", ...facts, ...place });
  }
  for (const { snapshot, keep, reasons } of first.decisions) {
    const { text: name, kind, time } = snapshot.name;
    const made = new Date(time * 1000).toISOString();
    report({
      type: "retention-decision",
      snapshot: name,
      kind,
      time: made,
      keep,
      reasons,
      ...place,
    });
  }
  const paused = pauseError(store, first.decisions, options);
  if (paused !== undefined) {
    if (!dryRun && !options.attended) throw paused;
    report({ type: "warning", message: paused.message });
  }
  const doomed = doomedOf(first);
  const count = doomed.snapshots.length + doomed.streams.length;
  const kept = first.decisions.length + first.streamDecisions.length - count;
  if (dryRun || count === 0) {
    const totals = { kept, deleted: count, failed: 0 };
    report({ type: "retention", ...totals, ...place });
    return totals;
  }
  await options.approve?.(deletionsOf(doomed, first.listed), store.name);
  const totals = await deleteDoomed(store, doomed, first.listed, options, context);
  report({ type: "retention", ...totals, ...place });
  return totals;
}

/** Looks again before the first deletion: only what is still not kept is deleted. */
async function deleteDoomed(
  store: SnapStore,
  doomed: Doomed,
  listed: StoreOutline,
  options: RetentionOptions,
  { signal, report, guard }: StoreContext,
): Promise<RetentionTotals> {
  const before = new Map(doomed.snapshots.map(({ name, facts }) => [name.text, facts?.id]));
  const streamsBefore = new Set(doomed.streams.map(({ name }) => name.text));
  let all = 0;
  let deleted = 0;
  let failed = 0;
  const failures = new FailuresInARow();
  await deletePlanned(store, doomed.snapshots, {
    streams: withNeeds(doomed.streams, listed),
    waitMs: options.waitMs ?? 0,
    guard,
    signal,
    recheck: async (look) => {
      checkClocks(store, look);
      const again = { ...options, ...earlierTimes(options, look.storeTime), pinned: look.pinned };
      const decided = await decideStored(store, again, signal);
      const { decisions, streamDecisions } = decided;
      const paused = options.attended ? undefined : pauseError(store, decisions, again);
      if (paused !== undefined) throw paused;
      all = decisions.length + streamDecisions.length;
      const { snapshots, streams } = doomedOf(decided);
      const still = snapshots.filter(
        ({ name, facts }) => before.has(name.text) && before.get(name.text) === facts?.id,
      );
      // The name of a stream has a part of its id.
      const stillStreams = streams.filter(({ name }) => streamsBefore.has(name.text));
      return new Set([...still, ...stillStreams].map(({ name }) => name.text));
    },
    onDeleted: ({ text: snapshot }, removed) => {
      deleted++;
      failures.end();
      report({ type: "snapshot-deleted", snapshot, store: store.name, ...removed, dryRun: false });
    },
    onFailed: ({ text: snapshot }, error) => {
      failed++;
      const { code, message: reason } = error;
      report({ type: "snapshot-not-deleted", snapshot, store: store.name, code, reason });
      failures.add(error);
    },
  });
  return { kept: all - deleted - failed, deleted, failed };
}

/** The same times, by the clock of the store if that is behind. */
function earlierTimes(
  { now, inProgressSince }: RetentionOptions,
  storeTime: Date,
): Pick<RetentionOptions, "now" | "inProgressSince"> {
  const ahead = Math.max(0, now.getTime() - storeTime.getTime());
  const earlier = (time: Date): Date => new Date(time.getTime() - ahead);
  return { now: earlier(now), inProgressSince: earlier(inProgressSince) };
}

/** After so many other failures in a row the store is taken to be the cause. */
const MAX_FAILURES = 3;

/** Ends a run in a store that fails, where each deletion would be retried for minutes. */
class FailuresInARow {
  #count = 0;

  end(): void {
    this.#count = 0;
  }

  /** Throws the last of them. */
  add(error: BackupToolError): void {
    if (REJECTED_DELETIONS.has(error.code)) return;
    this.#count++;
    if (this.#count === MAX_FAILURES) throw error;
  }
}

/** Names of the snapshots and streams that a policy keeps of a listing, whatever holds and pins keep besides. */
export function keptNames(
  listed: StoreOutline,
  { policy, timeZone, streamPeriodMs }: RetentionRules,
  now: Date,
): Set<string> {
  const none = { held: new Set<string>(), pinned: new Set<string>() };
  const rules = { policy, timeZone, streamPeriodMs, now, inProgressSince: now };
  const { decisions, streamDecisions } = decideContents(listed, none, rules);
  // What retention leaves to a person is to exist twice until then.
  const isPaused = costlyPause(decisions, policy, now, timeZone) !== undefined;
  const kept = decisions.filter(({ keep }) => keep || isPaused);
  const keptStreams = streamDecisions.filter(({ keep }) => keep);
  return new Set([
    ...kept.map(({ snapshot }) => snapshot.name.text),
    ...keptStreams.map(({ stream }) => stream.name.text),
  ]);
}

function deletionsOf(doomed: Doomed, { snapshots, streams }: StoreOutline): Deletion[] {
  const sizes = new Map([
    ...snapshots.map(({ name, facts }) => [name.text, facts?.bytes ?? 0] as const),
    ...streams.map(({ name, left }) => [name.text, left.bytes] as const),
  ]);
  return [...doomed.streams, ...doomed.snapshots].map(({ name }) => {
    return { snapshot: name.text, bytes: sizes.get(name.text) ?? 0 };
  });
}
