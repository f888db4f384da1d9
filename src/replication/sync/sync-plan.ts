import type { StoredSnapshot } from "../../snapshots/catalog.js";
import { compareSnapshotNames } from "../../snapshots/name.js";
import type { StoredStream } from "../../snapshots/streams/stored-stream.js";
import { planStreams, type StreamToCopy } from "./stream-plan.js";

export interface SyncState {
  /** The snapshots of both stores, oldest first. */
  readonly source: readonly StoredSnapshot[];
  readonly target: readonly StoredSnapshot[];
  /** The streams of both stores, oldest first. By default none. */
  readonly streams?: {
    readonly source: readonly StoredStream[];
    readonly target: readonly StoredStream[];
  };
  /** Names of snapshots of the target that must not be deleted, so neither replaced. */
  readonly held?: ReadonlySet<string> | undefined;
  /**
   * Names of the snapshots and streams that the target's retention would keep of a listing: without it, a sync would bring
   * back what the retention has deleted, again and again. By default all.
   */
  readonly wanted?:
    | ((
        snapshots: readonly StoredSnapshot[],
        streams: readonly StoredStream[],
      ) => ReadonlySet<string>)
    | undefined;
}

/** What a sync does about the complete snapshots of the source that the target does not have. */
export interface SyncPlan {
  /** To copy: the newest chain first, and each base before its incrementals. */
  readonly copy: readonly StoredSnapshot[];
  /** The target has another backup of this name, which a sync never replaces. */
  readonly conflicts: readonly StoredSnapshot[];
  /** Incrementals whose base is a conflict: in the target they could not be restored. */
  readonly blocked: readonly StoredSnapshot[];
  /** The retention of the target would delete them at once. */
  readonly unwanted: readonly StoredSnapshot[];
  /** Streams of which the target lacks files, or has others, the newest first. */
  readonly streams: readonly StreamToCopy[];
}

/**
 * Compares two stores by the names of their snapshots, which contain the revisions, and by the digests of the
 * manifests. Stores are hostile: ids may repeat, and bases may form a ring.
 */
export function planSync({ source, target, streams, held, wanted }: SyncState): SyncPlan {
  const byName = new Map(target.map((one) => [one.name.text, one]));
  const lacking = source.filter(
    (one) => one.state === "complete" && !isSame(one, byName.get(one.name.text)),
  );
  const isConflict = (one: StoredSnapshot): boolean =>
    conflicts(one, byName.get(one.name.text), held);
  const copyable = lacking.filter((one) => !isConflict(one));
  const plannedStreams = planStreams(streams);
  const names = wanted?.(afterCopy(target, copyable), plannedStreams.after);
  const isWanted = ({ name }: StoredSnapshot): boolean => names?.has(name.text) ?? true;
  const chains = new Chains(target, copyable, lacking.filter(isConflict));
  for (const one of copyable.toReversed()) if (isWanted(one)) chains.add(one);
  const { copy, blocked } = chains;
  return {
    copy: [...copy],
    blocked: [...blocked],
    conflicts: lacking.filter((one) => isConflict(one) && isWanted(one)),
    unwanted: copyable.filter((one) => !copy.has(one) && !blocked.has(one)),
    streams: plannedStreams.copy.filter(({ stream: { name } }) => names?.has(name.text) ?? true),
  };
}

/** The listing of the target once these snapshots have been copied there, oldest first where both are. */
export function afterCopy(
  target: readonly StoredSnapshot[],
  copied: readonly StoredSnapshot[],
): StoredSnapshot[] {
  const names = new Set(copied.map(({ name }) => name.text));
  const others = target.filter(({ name }) => !names.has(name.text));
  return [...others, ...copied].sort((a, b) => compareSnapshotNames(a.name, b.name));
}

/** What the target lacks as long as nothing of the plan is copied. */
export function lackingOf({ copy, blocked, conflicts }: SyncPlan): StoredSnapshot[] {
  return [...copy, ...blocked, ...conflicts];
}

function isSame({ facts }: StoredSnapshot, there: StoredSnapshot | undefined): boolean {
  return there?.state === "complete" && there.facts?.digest === facts?.digest;
}

/** Whether copying would replace another backup that is whole, or that must not be deleted. */
function conflicts(
  { name, facts }: StoredSnapshot,
  there: StoredSnapshot | undefined,
  held: ReadonlySet<string> | undefined,
): boolean {
  if (there === undefined || there.state === "unfinished") return false;
  if (there.facts?.digest === facts?.digest) return false;
  return there.state === "complete" || (held?.has(name.text) ?? false);
}

/** Selects snapshots with what they are based on. */
class Chains {
  /** In the order of copying. */
  readonly copy = new Set<StoredSnapshot>();
  readonly blocked = new Set<StoredSnapshot>();
  readonly #present: ReadonlySet<string | undefined>;
  readonly #conflicting: ReadonlySet<string | undefined>;
  readonly #copyable: ReadonlyMap<string | undefined, StoredSnapshot>;

  constructor(
    target: readonly StoredSnapshot[],
    copyable: readonly StoredSnapshot[],
    conflicting: readonly StoredSnapshot[],
  ) {
    const complete = target.filter(({ state }) => state === "complete");
    this.#present = new Set(complete.map(({ facts }) => facts?.id));
    this.#conflicting = new Set(conflicting.map(({ facts }) => facts?.id));
    this.#copyable = new Map(copyable.map((one) => [one.facts?.id, one]));
  }

  /** Adds a snapshot after its bases that the target lacks. Each snapshot is visited once. */
  add(one: StoredSnapshot): void {
    const chain = new Set<StoredSnapshot>();
    let blocked = false;
    for (let at: StoredSnapshot | undefined = one; at !== undefined; ) {
      if (this.copy.has(at) || chain.has(at)) break;
      blocked = this.blocked.has(at);
      if (blocked) break;
      chain.add(at);
      const base: string | null = at.facts?.base ?? null;
      if (base === null || this.#present.has(base)) break;
      at = this.#copyable.get(base);
      // A base that neither store has may be in a folder: the incremental is copied.
      blocked = at === undefined && this.#conflicting.has(base);
    }
    const selected = blocked ? this.blocked : this.copy;
    for (const member of [...chain].reverse()) selected.add(member);
  }
}
