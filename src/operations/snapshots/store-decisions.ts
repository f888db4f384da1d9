import { inParallel } from "../../flow/in-parallel.js";
import type { StoredSnapshot } from "../../snapshots/catalog.js";
import { pinnedNames } from "../../snapshots/control/pins.js";
import { heldNames } from "../../snapshots/holds.js";
import { outlineStore, type StoreOutline } from "../../snapshots/list-store.js";
import { manifestKey } from "../../snapshots/manifest.js";
import { lastTouched } from "../../snapshots/prune.js";
import type { Candidate } from "../../snapshots/retention/candidate.js";
import { type Decision, decide } from "../../snapshots/retention/decide.js";
import { decideStreams, type StreamDecision } from "../../snapshots/retention/decide-streams.js";
import type { RetentionPolicy } from "../../snapshots/retention/policy.js";
import type { StreamCandidate } from "../../snapshots/retention/stream-candidate.js";
import { LogNeeds } from "../../snapshots/streams/log-needs.js";
import { newestKey } from "../../snapshots/streams/stored-stream.js";
import type { StreamOutline } from "../../snapshots/streams/stream-outline.js";
import type { SnapStore } from "../../snapstore/store.js";

export interface RetentionRules {
  readonly policy: RetentionPolicy;
  /** A name of the IANA database. */
  readonly timeZone: string;
  /** Age up to which streams of deltas are kept, before the newest, ms. Default: {@link STREAM_PERIOD_MS}. */
  readonly streamPeriodMs?: number | undefined;
}

/** A day. */
const STREAM_PERIOD_MS = 24 * 3_600_000;

export interface DecisionOptions extends RetentionRules {
  readonly now: Date;
  /** Since then a run may have written to an unfinished snapshot: what it may be based on is kept. */
  readonly inProgressSince: Date;
  /** What is in the store; by default each manifest is read. */
  readonly list?: ((signal: AbortSignal) => Promise<StoreOutline>) | undefined;
  /** Names of pinned snapshots and streams; by default those of a new listing. */
  readonly pinned?: ReadonlySet<string> | undefined;
}

export interface Decisions {
  readonly decisions: readonly Decision[];
  readonly streamDecisions: readonly StreamDecision[];
}

export interface StoreDecisions extends Decisions {
  readonly listed: StoreOutline;
}

/** Names that are kept for a reason of their own, and until when the store rejects deletions. */
export interface Protections {
  readonly held: ReadonlySet<string>;
  readonly pinned: ReadonlySet<string>;
  readonly locks?: ReadonlyMap<string, Date>;
}

/** Lists a store with its holds, pins and locks, and decides about each snapshot and stream. */
export async function decideStored(
  store: SnapStore,
  options: DecisionOptions,
  signal: AbortSignal,
): Promise<StoreDecisions> {
  const listed = await (options.list?.(signal) ?? outlineStore(store, signal));
  // After the snapshots: what is held meanwhile is seen.
  const held = await heldNames(store, signal);
  const pinned = options.pinned ?? (await pinnedNames(store, new Date(), signal));
  const first = decideContents(listed, { held, pinned }, options);
  const locks = await locksOf(store, listed, doomedOf(first), signal);
  if (locks.size === 0) return { listed, ...first };
  return { listed, ...decideContents(listed, { held, pinned, locks }, options) };
}

/** Streams first: which snapshots their deltas need depends on which of them are kept. */
export function decideContents(
  { snapshots, streams }: StoreOutline,
  protections: Protections,
  options: Omit<DecisionOptions, "list" | "pinned">,
): Decisions {
  const { policy, now, timeZone, streamPeriodMs: periodMs = STREAM_PERIOD_MS } = options;
  const candidates = snapshots.map((one) => candidateOf(one, protections, options));
  const ofStreams = streams.map((one) => streamCandidateOf(one, protections));
  const decided = decideStreams(ofStreams, candidates, { periodMs, now });
  const needed = candidates.map((one): Candidate => {
    const forDeltas = decided.bases.get(one.name.text);
    return forDeltas === undefined ? one : { ...one, forDeltas };
  });
  const decisions = decide(needed, policy, now, timeZone);
  return { decisions, streamDecisions: decided.streams };
}

function candidateOf(
  one: StoredSnapshot,
  { held, pinned, locks }: Protections,
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
    lockedUntil: locks?.get(name.text),
    inProgress,
  };
}

function streamCandidateOf(
  one: StreamOutline,
  { held, pinned, locks }: Protections,
): StreamCandidate {
  const { text } = one.name;
  return {
    ...one,
    held: held.has(text),
    pinned: pinned.has(text),
    lockedUntil: locks?.get(text),
  };
}

const HEADS = 8;

/** When the locks of manifests, and of the newest deltas, end. Only those that would be deleted are asked for. */
async function locksOf(
  store: SnapStore,
  { streams }: StoreOutline,
  doomed: Doomed,
  signal: AbortSignal,
): Promise<Map<string, Date>> {
  const locks = new Map<string, Date>();
  const byName = new Map(streams.map((one) => [one.name.text, one]));
  const names = [...doomed.streams, ...doomed.snapshots].map(({ name }) => name.text);
  await inParallel(names, HEADS, async (name) => {
    const stream = byName.get(name);
    const key = stream === undefined ? manifestKey(name) : newestKey(stream);
    const until = (await store.head(key, signal))?.lockedUntil;
    if (until !== undefined && until > new Date()) locks.set(name, until);
  });
  return locks;
}

/** What is not kept. */
export interface Doomed {
  readonly snapshots: readonly Candidate[];
  readonly streams: readonly StreamCandidate[];
}

export function doomedOf({ decisions, streamDecisions }: Decisions): Doomed {
  return {
    snapshots: decisions.filter((one) => !one.keep).map(({ snapshot }) => snapshot),
    streams: streamDecisions.filter((one) => !one.keep).map(({ stream }) => stream),
  };
}

/** The streams with the names of what each needs. */
export function withNeeds(
  streams: readonly StreamCandidate[],
  all: StoreOutline,
): { readonly name: StreamCandidate["name"]; readonly needs: ReadonlySet<string> }[] {
  const needs = new LogNeeds<StreamCandidate | StreamOutline>(all.snapshots, all.streams);
  return streams.map((one) => ({ name: one.name, needs: needs.needsOf(one) }));
}
