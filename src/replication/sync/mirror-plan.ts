import type { StoredSnapshot } from "../../snapshots/catalog.js";
import { mayBeBasedOn } from "../../snapshots/delete.js";
import { decideStreams } from "../../snapshots/retention/decide-streams.js";
import { LogNeeds } from "../../snapshots/streams/log-needs.js";
import type { StoredStream } from "../../snapshots/streams/stored-stream.js";
import { isNewestGone } from "./newest-chain.js";

export interface MirrorRules {
  /** Most of the target's complete snapshots that one run may delete, from 0 to 1. */
  readonly maxDeleteFraction: number;
  /** For how long a snapshot must be absent from the source before it is deleted. */
  readonly graceMs: number;
  /** A stream of deltas is deleted only if its last delta is older than this before the newest, as by retention. */
  readonly streamPeriodMs?: number | undefined;
}

export interface MirrorState extends MirrorRules {
  /** All snapshots of the source, as a listing that succeeded shows them. */
  readonly source: readonly StoredSnapshot[];
  /** All snapshots of the target, oldest first: as it will be when the copies are done. */
  readonly target: readonly StoredSnapshot[];
  /** Likewise all streams. By default none. */
  readonly streams?: {
    readonly source: readonly StoredStream[];
    readonly target: readonly StoredStream[];
    readonly now: Date;
  };
  /** For how long the source has not had a snapshot or stream of this name. */
  absentMs(name: string): number;
  /** Names of held or pinned snapshots and streams of the target. */
  readonly held: ReadonlySet<string>;
  /** Names of snapshots and streams that the target's store rejects to delete for now. */
  readonly locked: ReadonlySet<string>;
  /** Names of snapshots that went from the source in a loss that is not mirrored. */
  readonly refused: ReadonlySet<string>;
}

/** Why a run deletes nothing at all, or nothing of a loss. */
export type MirrorRefusal = "source-empty" | "too-many" | "newest-chain";

/** Why a snapshot that the source lacks is kept. */
export type MirrorReason =
  | "grace"
  | "held"
  | "locked"
  | "refused"
  | "needed"
  | "recent"
  | "foreign"
  | "damaged";

export interface MirrorPlan {
  /** To delete, incrementals before their bases: only without a refusal. */
  readonly due: readonly StoredSnapshot[];
  /** Likewise streams, the newest first; with the names of what each needs. */
  readonly dueStreams: readonly StreamDeletion[];
  readonly refusal?: MirrorRefusal;
  /** Complete snapshots of the target. */
  readonly complete: number;
  readonly kept: readonly {
    readonly snapshot: Pick<StoredSnapshot, "name"> | Pick<StoredStream, "name">;
    readonly reason: MirrorReason;
  }[];
  /** Names of snapshots and streams in the target that the source does not have in any state; undefined if nothing was compared. */
  readonly absent?: ReadonlySet<string>;
}

export interface StreamDeletion {
  readonly stream: StoredStream;
  readonly needs: ReadonlySet<string>;
}

/**
 * What to delete from a target that mirrors its source. A source that has lost its snapshots, or that does not show
 * them, must not cost the second copy: so this prefers to delete too little, and rather nothing than very much.
 */
export function planMirror(state: MirrorState): MirrorPlan {
  const { source, target, maxDeleteFraction } = state;
  const complete = target.filter((one) => one.state === "complete");
  const none = { due: [], dueStreams: [], complete: complete.length, kept: [] };
  if (complete.length === 0) return none;
  if (!source.some((one) => one.state === "complete")) return { ...none, refusal: "source-empty" };
  const names = new Set(source.map(({ name }) => name.text));
  // What is unfinished in the target may be on its way there.
  const gone = target.filter((one) => one.state !== "unfinished" && !names.has(one.name.text));
  const kept: MirrorPlan["kept"][number][] = [];
  const due: StoredSnapshot[] = [];
  for (const snapshot of gone) {
    const reason = reasonToKeep(snapshot, state);
    if (reason === undefined) due.push(snapshot);
    else kept.push({ snapshot, reason });
  }
  const streams = planStreams(state);
  kept.push(...streams.kept);
  const { free, needed } = withoutDependents(due, target, streams.needed);
  for (const snapshot of needed) kept.push({ snapshot, reason: "needed" });
  const absent = new Set(gone.map(({ name }) => name.text));
  const plan = {
    ...none,
    ...{ due: free, dueStreams: streams.due, kept },
    absent: new Set([...absent, ...streams.absent]),
  };
  if (isNewestGone(complete, complete, absent)) return { ...plan, refusal: "newest-chain" };
  if (free.length > maxDeleteFraction * complete.length) return { ...plan, refusal: "too-many" };
  return plan;
}

function reasonToKeep(
  { name, state, foreign }: StoredSnapshot,
  { held, locked, refused, absentMs, graceMs }: MirrorState,
): MirrorReason | undefined {
  // A person has to look at it, and the source cannot repair it.
  if (state === "damaged") return "damaged";
  if (foreign !== undefined) return "foreign";
  if (held.has(name.text)) return "held";
  if (locked.has(name.text)) return "locked";
  if (refused.has(name.text)) return "refused";
  return absentMs(name.text) < graceMs ? "grace" : undefined;
}

/**
 * A stream that is gone from the source goes only if retention would delete it here too, by its age: a newer one was lost
 * there. So no limit of how many may go is needed. What streams need that stay is kept.
 */
function planStreams(state: MirrorState): {
  readonly due: readonly StreamDeletion[];
  readonly kept: MirrorPlan["kept"];
  readonly absent: ReadonlySet<string>;
  /** Names of snapshots and streams that streams need which stay. */
  readonly needed: ReadonlySet<string>;
} {
  const { streams = { source: [], target: [], now: new Date() }, held, locked, target } = state;
  const { streamPeriodMs: periodMs = Number.POSITIVE_INFINITY } = state;
  const names = new Set(streams.source.map(({ name }) => name.text));
  const gone = streams.target.filter(({ name }) => !names.has(name.text));
  const candidates = streams.target.map((one) => ({
    ...one,
    held: held.has(one.name.text),
    pinned: false,
  }));
  const flags = { pinned: false, inProgress: false };
  const snapshots = target.map((one) => ({ ...one, ...flags, held: held.has(one.name.text) }));
  const decided = decideStreams(candidates, snapshots, { periodMs, now: streams.now });
  const stays = new Set(
    decided.streams.filter(({ keep }) => keep).map(({ stream: { name } }) => name.text),
  );
  const reasonFor = ({ name: { text } }: StoredStream): MirrorReason | undefined => {
    if (stays.has(text)) return held.has(text) ? "held" : "recent";
    if (locked.has(text)) return "locked";
    return state.absentMs(text) < state.graceMs ? "grace" : undefined;
  };
  const needs = new LogNeeds(target, streams.target);
  const kept = gone.flatMap((snapshot) => {
    const reason = reasonFor(snapshot);
    return reason === undefined ? [] : [{ snapshot, reason }];
  });
  const due = gone.filter((one) => reasonFor(one) === undefined);
  const staying = streams.target.filter((one) => !due.includes(one));
  const needed = new Set([
    ...decided.bases.keys(),
    ...staying.flatMap((one) => [...needs.needsOf(one)]),
  ]);
  return {
    due: due
      .filter(({ name }) => !needed.has(name.text))
      .toReversed()
      .map((stream) => ({ stream, needs: needs.needsOf(stream) })),
    kept,
    absent: new Set(gone.map(({ name }) => name.text)),
    needed,
  };
}

/**
 * Divides snapshots into those that can be deleted, in that order, and those that a snapshot is based on, or may be,
 * that stays. Of a backup with several names one has to stay.
 */
function withoutDependents(
  due: readonly StoredSnapshot[],
  all: readonly StoredSnapshot[],
  neededByStreams: ReadonlySet<string>,
): { free: StoredSnapshot[]; needed: StoredSnapshot[] } {
  const opaque = all.filter(({ facts }) => facts === undefined);
  const dependents = new Counts(all.map(({ facts }) => facts?.base));
  const copies = new Counts(
    all.filter(({ state }) => state === "complete").map(({ facts }) => facts?.id),
  );
  const free: StoredSnapshot[] = [];
  const needed = new Set<StoredSnapshot>();
  /** Newest first; a base comes again when its last dependent is gone. */
  const queue = due.toReversed();
  const waiting = new Map<string | undefined, StoredSnapshot[]>();
  for (const one of queue) {
    const { id, base } = one.facts ?? {};
    const isBase = dependents.of(id) > 0 && copies.of(id) < 2;
    const isNeeded = isBase || neededByStreams.has(one.name.text);
    if (isNeeded || opaque.some((other) => mayBeBasedOn(other, one))) {
      needed.add(one);
      waiting.set(id, [...(waiting.get(id) ?? []), one]);
      continue;
    }
    needed.delete(one);
    free.push(one);
    copies.drop(id);
    dependents.drop(base);
    if (base == null || dependents.of(base) > 0) continue;
    // Grows the list that is being iterated.
    queue.push(...(waiting.get(base) ?? []));
    waiting.delete(base);
  }
  return { free, needed: [...needed] };
}

class Counts {
  readonly #counts = new Map<string, number>();

  constructor(keys: Iterable<string | null | undefined>) {
    for (const key of keys) if (key != null) this.#counts.set(key, this.of(key) + 1);
  }

  of(key: string | null | undefined): number {
    return key == null ? 0 : (this.#counts.get(key) ?? 0);
  }

  drop(key: string | null | undefined): void {
    if (key != null) this.#counts.set(key, this.of(key) - 1);
  }
}
