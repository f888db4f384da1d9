import { BackupToolError } from "../errors.js";
import { inParallel } from "../flow/in-parallel.js";
import type { SnapStore } from "../snapstore/store.js";
import { withManifest } from "./manifest.js";
import { compareSnapshotNames, type SnapshotName } from "./name.js";
import { readSnapshot, type StoredSnapshot, snapshotNames } from "./catalog.js";

/** Bases read at the same time. */
const WINDOW = 8;

/**
 * The chain below `snapshot`: the names of its bases, its own base first and the full backup last. Throws NO_SNAPSHOT
 * when one is missing.
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
        hint: "copy it there, restore from the other store, or name its folder",
        settings: ["with-base"],
      });
    }
    bases.push(base.name);
  }
  return bases;
}

/**
 * Throws NO_BASE unless the whole chain below `snapshot` is in the store, each file in its size: an incremental over it
 * could not be restored from there.
 */
export async function checkBases(
  store: SnapStore,
  snapshot: StoredSnapshot,
  signal: AbortSignal,
): Promise<void> {
  const refuse = (message: string): never => {
    throw new BackupToolError("NO_BASE", message, {
      hint: "make a full backup, or copy the missing one there",
    });
  };
  await inParallel(basesOf(store, snapshot, signal), WINDOW, async (base) => {
    if (base.name === undefined) return refuse(base.missing);
    const { name, above } = base;
    const found = await readSnapshot(store, name, signal);
    if (found?.state === "complete") return;
    const problem = found?.problem ?? "it has no manifest";
    refuse(`${above} stands on ${name.text}, which is damaged in ${store.name}: ${problem}`);
  });
}

type BaseOf =
  | {
      readonly name: SnapshotName;
      /** Name of the incremental that is based on it. */
      readonly above: string;
    }
  | { readonly name?: undefined; readonly missing: string };

/** The chain below `snapshot`, its own base first; the last one is a full backup, or missing. */
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
        missing: `${above.text} stands on the backup ${wanted}, which is not in ${store.name}`,
      };
      return;
    }
    yield { name: found.name, above: above.text };
    above = found.name;
    wanted = found.base;
  }
}

/** Reads the manifests of a store for the one of a backup, and again only those that it finds. */
class BaseSearch {
  readonly #store: SnapStore;
  readonly #signal: AbortSignal;
  #names: SnapshotName[] | undefined;
  /** Which backup is under a name, of those looked at; none for what is in the chain already. */
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
      // A store can be hostile: a chain may be a ring.
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
 * The newest snapshot before `above` first, which mostly is its base. Then those with later names: the clock may have
 * been set back in between.
 */
function* outwardsFrom(
  above: SnapshotName,
  sorted: readonly SnapshotName[],
): Generator<SnapshotName, void, void> {
  const before = sorted.filter((name) => compareSnapshotNames(name, above) < 0);
  yield* before.toReversed();
  yield* sorted.slice(before.length);
}

/** A damaged snapshot between them is no reason not to find the others. */
function ignoreDamage(error: unknown): undefined {
  if (error instanceof BackupToolError && error.code === "DAMAGED") return undefined;
  throw error;
}
