import { BackupToolError } from "../errors.js";
import { inParallel } from "../flow/in-parallel.js";
import type { SnapStore } from "../snapstore/store.js";
import { withManifest } from "./manifest.js";
import { compareSnapshotNames, type SnapshotName } from "./name.js";
import { readSnapshot, type StoredSnapshot, snapshotNames } from "./catalog.js";

/** Bases read concurrently. */
const WINDOW = 8;

/**
 * The names of the bases of `snapshot`: its own base first, the full backup last. Throws NO_SNAPSHOT if one is missing.
 */
export async function findBases(
  store: SnapStore,
  snapshot: StoredSnapshot,
  signal: AbortSignal,
): Promise<SnapshotName[]> {
  const bases: SnapshotName[] = [];
  for await (const base of basesOf(store, snapshot, signal)) {
    if (base.name === undefined) {
      throw new BackupToolError("NO_SNAPSHOT", base.missing, {
        hint: "copy it there, restore from the other store, or set its folder",
        settings: ["with-base"],
      });
    }
    bases.push(base.name);
  }
  return bases;
}

/**
 * Throws NO_BASE unless all bases of `snapshot` are complete in the store. Otherwise an incremental over it could not
 * be restored from there. Resolves with their names, in no order.
 */
export async function checkBases(
  store: SnapStore,
  snapshot: StoredSnapshot,
  signal: AbortSignal,
): Promise<string[]> {
  const names: string[] = [];
  const fail = (message: string): never => {
    throw new BackupToolError("NO_BASE", message, {
      hint: "make a full backup, or copy the missing one there",
    });
  };
  await inParallel(basesOf(store, snapshot, signal), WINDOW, async (base) => {
    if (base.name === undefined) return fail(base.missing);
    const { name, above } = base;
    const found = await readSnapshot(store, name, signal);
    if (found?.state === "complete") {
      names.push(name.text);
      return;
    }
    const problem = found?.problem ?? "it has no manifest";
    fail(`${above} is based on ${name.text}, which is damaged in ${store.name}: ${problem}`);
  });
  return names;
}

type BaseOf =
  | {
      readonly name: SnapshotName;
      /** Name of the incremental that is based on it. */
      readonly above: string;
    }
  | { readonly name?: undefined; readonly missing: string };

/** The bases of `snapshot`, its own base first. The last one is a full backup, or missing. */
async function* basesOf(
  store: SnapStore,
  snapshot: StoredSnapshot,
  signal: AbortSignal,
): AsyncGenerator<BaseOf, void, void> {
  let wanted = snapshot.facts?.base ?? null;
  if (wanted === null) return;
  const search = new BaseSearch(store, snapshot.name, signal);
  for (let above = snapshot.name; wanted !== null; ) {
    const found = await search.find(wanted, above);
    if (found === undefined) {
      yield {
        missing: `${above.text} is based on backup ${wanted}, which is not in ${store.name}`,
      };
      return;
    }
    yield { name: found.name, above: above.text };
    above = found.name;
    wanted = found.base;
  }
}

/** Finds backups in a store by id. It reads each manifest once, and a second time only if it matches. */
class BaseSearch {
  readonly #store: SnapStore;
  readonly #signal: AbortSignal;
  #names: SnapshotName[] | undefined;
  /** Ids of the read manifests by name; undefined for snapshots that are in the chain already. */
  readonly #ids = new Map<string, string | undefined>();

  constructor(store: SnapStore, top: SnapshotName, signal: AbortSignal) {
    this.#store = store;
    this.#signal = signal;
    this.#ids.set(top.text, undefined);
  }

  async find(
    id: string,
    above: SnapshotName,
  ): Promise<{ name: SnapshotName; base: string | null } | undefined> {
    this.#names ??= await this.#list();
    for (const name of outwardsFrom(above, this.#names)) {
      if (this.#ids.has(name.text) && this.#ids.get(name.text) !== id) continue;
      const stored = await withManifest(this.#store, name.text, this.#signal, ({ id, base }) => ({
        id,
        base,
      })).catch(ignoreDamage);
      const found = stored?.id === id;
      // In a hostile store a chain may be a cycle.
      this.#ids.set(name.text, found ? undefined : stored?.id);
      if (found) return { name, base: stored.base };
    }
    return undefined;
  }

  async #list(): Promise<SnapshotName[]> {
    return (await snapshotNames(this.#store, this.#signal)).sort(compareSnapshotNames);
  }
}

/**
 * The newest snapshot before `above` first, which usually is its base. Later names follow: the clock may have been set
 * back in between.
 */
function* outwardsFrom(
  above: SnapshotName,
  sorted: readonly SnapshotName[],
): Generator<SnapshotName, void, void> {
  const before = sorted.filter((name) => compareSnapshotNames(name, above) < 0);
  yield* before.toReversed();
  yield* sorted.slice(before.length);
}

/** Skips a damaged snapshot. */
function ignoreDamage(error: unknown): undefined {
  if (error instanceof BackupToolError && error.code === "DAMAGED") return undefined;
  throw error;
}
