import type { StoredSnapshot } from "./catalog.js";
import type { SnapshotName } from "./name.js";

/** What links snapshots to their bases. */
export interface LinkedSnapshot {
  readonly name: SnapshotName;
  readonly state: StoredSnapshot["state"];
  readonly facts?: { readonly id: string; readonly base: string | null } | undefined;
}

/** The place of a restorable snapshot in its chain. */
export interface ChainPlace {
  /** Id of the full backup that the chain begins with. */
  readonly full: string;
  /** Number of bases below it: 0 for the full backup. */
  readonly depth: number;
}

/**
 * The chains of all snapshots of one store. Several names may hold the same backup; then an incremental over it has
 * several bases, of which only one is sealed under its own name. In a hostile store a chain may be a cycle, which is
 * not restorable.
 */
export class ChainLinks<S extends LinkedSnapshot> {
  readonly #byId = new Map<string, S[]>();
  readonly #places = new Map<S, ChainPlace>();

  constructor(snapshots: readonly S[]) {
    const over = new Map<string, S[]>();
    for (const one of snapshots) {
      if (one.facts === undefined) continue;
      append(this.#byId, one.facts.id, one);
      if (one.facts.base !== null) append(over, one.facts.base, one);
    }
    this.#placeAll(snapshots, over);
  }

  /** The names that hold the base of `one`; none for a full backup, or if the base is missing. */
  basesOf({ facts }: S): readonly S[] {
    return facts === undefined || facts.base === null ? [] : (this.#byId.get(facts.base) ?? []);
  }

  /** The other names that hold the same backup. */
  copiesOf(one: S): readonly S[] {
    const all = one.facts === undefined ? [] : (this.#byId.get(one.facts.id) ?? []);
    return all.filter((other) => other !== one);
  }

  /** Undefined unless the snapshot and a base of each below it are complete. */
  placeOf(one: S): ChainPlace | undefined {
    return this.#places.get(one);
  }

  /** All bases below `one`, nearest first. */
  below(one: S): Set<S> {
    const found = new Set<S>([one]);
    for (const at of found) for (const base of this.basesOf(at)) found.add(base);
    found.delete(one);
    return found;
  }

  /** From the full backups up, so that nothing above a gap or in a cycle gets a place. */
  #placeAll(snapshots: readonly S[], over: ReadonlyMap<string, readonly S[]>): void {
    const placed: S[] = [];
    const place = (one: S, at: ChainPlace): void => {
      if (one.state !== "complete" || this.#places.has(one)) return;
      this.#places.set(one, at);
      placed.push(one);
    };
    for (const one of snapshots) {
      if (one.facts?.base === null) place(one, { full: one.facts.id, depth: 0 });
    }
    // `placed` grows while it is read.
    for (const base of placed) {
      const { full, depth } = this.#places.get(base) ?? { full: "", depth: 0 };
      for (const one of over.get(base.facts?.id ?? "") ?? []) {
        place(one, { full, depth: depth + 1 });
      }
    }
  }
}

function append<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}
