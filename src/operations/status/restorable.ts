import type { StoredSnapshot } from "../../snapshots/catalog.js";

/** The snapshots of one store by their backups, and which of these can be restored from there. */
export class Restorable {
  /** Complete snapshots by the id of their backup: the first of several names. */
  readonly #byId = new Map<string, StoredSnapshot>();
  readonly #restorable = new Map<string, boolean>();

  constructor(listed: readonly StoredSnapshot[]) {
    for (const snapshot of listed) {
      const { facts, state } = snapshot;
      if (state !== "complete" || facts === undefined) continue;
      const same = this.#byId.get(facts.id);
      if (same === undefined) this.#byId.set(facts.id, snapshot);
      // One of the two is forged: do not count on either.
      else if (same.facts?.base !== facts.base) this.#restorable.set(facts.id, false);
    }
    for (const id of this.#byId.keys()) this.#decide(id);
  }

  /** Whether the snapshot and all of its bases are complete. */
  has({ state, facts }: StoredSnapshot): boolean {
    return state === "complete" && this.#restorable.get(facts?.id ?? "") === true;
  }

  /** The complete snapshot with the base of `snapshot`. */
  baseOf({ facts }: StoredSnapshot): StoredSnapshot | undefined {
    return this.#byId.get(facts?.base ?? "");
  }

  /** Walks down to a backup that is decided. In a hostile store a chain may be a cycle, which cannot be restored. */
  #decide(id: string): void {
    const chain: string[] = [];
    let restorable: boolean | undefined;
    for (let at = id; restorable === undefined; ) {
      restorable = this.#restorable.get(at);
      if (restorable !== undefined) break;
      const base = this.#byId.get(at)?.facts?.base;
      if (base === undefined) restorable = false;
      else {
        chain.push(at);
        // Seen again below itself, it counts as not restorable.
        this.#restorable.set(at, false);
        if (base === null) restorable = true;
        else at = base;
      }
    }
    for (const one of chain) this.#restorable.set(one, restorable);
  }
}
