import { inParallel } from "../../flow/in-parallel.js";
import { listSnapshots, type StoredSnapshot } from "../../snapshots/catalog.js";
import { pinnedNames } from "../../snapshots/control/pins.js";
import { heldNames } from "../../snapshots/holds.js";
import { manifestKey } from "../../snapshots/manifest.js";
import { lastTouched } from "../../snapshots/prune.js";
import type { Candidate } from "../../snapshots/retention/candidate.js";
import { type Decision, decide } from "../../snapshots/retention/decide.js";
import type { RetentionPolicy } from "../../snapshots/retention/policy.js";
import type { SnapStore } from "../../snapstore/store.js";

export interface DecisionOptions {
  readonly policy: RetentionPolicy;
  /** A name of the IANA database. */
  readonly timeZone: string;
  readonly now: Date;
  /** Since then a run may have written to an unfinished snapshot: what it may be based on is kept. */
  readonly inProgressSince: Date;
  /** All snapshots of the store; by default each manifest is read. */
  readonly list?: ((signal: AbortSignal) => Promise<readonly StoredSnapshot[]>) | undefined;
  /** Names of pinned snapshots; by default those of a new listing. */
  readonly pinned?: ReadonlySet<string> | undefined;
}

export interface StoreDecisions {
  readonly listed: readonly StoredSnapshot[];
  readonly decisions: readonly Decision[];
}

/** Lists a store with its holds, pins and locks, and decides about each snapshot. */
export async function decideStored(
  store: SnapStore,
  options: DecisionOptions,
  signal: AbortSignal,
): Promise<StoreDecisions> {
  const { policy, timeZone, now, list } = options;
  const listed = await (list?.(signal) ?? listSnapshots(store, signal));
  // After the snapshots: what is held meanwhile is seen.
  const held = await heldNames(store, signal);
  const pinned = options.pinned ?? (await pinnedNames(store, new Date(), signal));
  const candidates = listed.map((one) => candidateOf(one, { held, pinned }, options));
  const decisions = decide(candidates, policy, now, timeZone);
  const locks = await locksOf(store, doomedOf(decisions), signal);
  if (locks.size === 0) return { listed, decisions };
  const locked = candidates.map((one) => ({ ...one, lockedUntil: locks.get(one.name.text) }));
  return { listed, decisions: decide(locked, policy, now, timeZone) };
}

export function candidateOf(
  one: StoredSnapshot,
  { held, pinned }: { readonly held: ReadonlySet<string>; readonly pinned: ReadonlySet<string> },
  { now, inProgressSince }: Pick<DecisionOptions, "now" | "inProgressSince">,
): Candidate {
  const { name, state, facts, foreign } = one;
  const inProgress =
    state === "unfinished" && lastTouched(one, now.getTime()) >= inProgressSince.getTime();
  return {
    name,
    state,
    facts,
    foreign,
    held: held.has(name.text),
    pinned: pinned.has(name.text),
    inProgress,
  };
}

const HEADS = 8;

/** When the locks of manifests end. Only those that would be deleted are asked for. */
async function locksOf(
  store: SnapStore,
  doomed: readonly Candidate[],
  signal: AbortSignal,
): Promise<Map<string, Date>> {
  const locks = new Map<string, Date>();
  await inParallel(doomed, HEADS, async ({ name }) => {
    const until = (await store.head(manifestKey(name.text), signal))?.lockedUntil;
    if (until !== undefined && until > new Date()) locks.set(name.text, until);
  });
  return locks;
}

/** Those that are not kept. */
export function doomedOf(decisions: readonly Decision[]): Candidate[] {
  return decisions.filter((one) => !one.keep).map(({ snapshot }) => snapshot);
}
