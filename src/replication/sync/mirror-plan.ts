import type { StoredSnapshot } from "../../snapshots/catalog.js";
import { mayBeBasedOn } from "../../snapshots/delete.js";
import { isNewestGone } from "./newest-chain.js";

export interface MirrorRules {
  /** Most of the target's complete snapshots that one run may delete, from 0 to 1. */
  readonly maxDeleteFraction: number;
  /** For how long a snapshot must be absent from the source before it is deleted. */
  readonly graceMs: number;
}

export interface MirrorState extends MirrorRules {
  /** All snapshots of the source, as a listing that succeeded shows them. */
  readonly source: readonly StoredSnapshot[];
  /** All snapshots of the target, oldest first: as it will be when the copies are done. */
  readonly target: readonly StoredSnapshot[];
  /** For how long the source has not had a snapshot of this name. */
  absentMs(name: string): number;
  /** Names of held or pinned snapshots of the target. */
  readonly held: ReadonlySet<string>;
  /** Names of snapshots that the target's store rejects to delete for now. */
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
  | "foreign"
  | "damaged";

export interface MirrorPlan {
  /** To delete, incrementals before their bases: only without a refusal. */
  readonly due: readonly StoredSnapshot[];
  readonly refusal?: MirrorRefusal;
  /** Complete snapshots of the target. */
  readonly complete: number;
  readonly kept: readonly { readonly snapshot: StoredSnapshot; readonly reason: MirrorReason }[];
  /** Names in the target that the source does not have in any state; undefined if nothing was compared. */
  readonly absent?: ReadonlySet<string>;
}

/**
 * What to delete from a target that mirrors its source. A source that has lost its snapshots, or that does not show
 * them, must not cost the second copy: so this prefers to delete too little, and rather nothing than very much.
 */
export function planMirror(state: MirrorState): MirrorPlan {
  const { source, target, maxDeleteFraction } = state;
  const complete = target.filter((one) => one.state === "complete");
  const none = { due: [], complete: complete.length, kept: [] };
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
  const { free, needed } = withoutDependents(due, target);
  for (const snapshot of needed) kept.push({ snapshot, reason: "needed" });
  const absent = new Set(gone.map(({ name }) => name.text));
  const plan = { ...none, due: free, kept, absent };
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
 * Divides snapshots into those that can be deleted, in that order, and those that a snapshot is based on, or may be,
 * that stays. Of a backup with several names one has to stay.
 */
function withoutDependents(
  due: readonly StoredSnapshot[],
  all: readonly StoredSnapshot[],
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
    if (isBase || opaque.some((other) => mayBeBasedOn(other, one))) {
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
