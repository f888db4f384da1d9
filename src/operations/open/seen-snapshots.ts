import { isHex } from "../../archive/manifest/manifest.js";
import {
  compareSnapshotNames,
  parseSnapshotName,
  type SnapshotName,
} from "../../snapshots/name.js";
import type { StoredSnapshot } from "../../snapshots/catalog.js";
import type { SnapStore } from "../../snapstore/store.js";
import type { StoreContext } from "../context.js";
import { StateFile, StateFileError } from "./state-file.js";

/** Longer than any time: a forged manifest may hold any text. */
const MAX_TIME_CHARACTERS = 64;

/** A complete snapshot that a store has shown. */
export interface SeenSnapshot {
  readonly name: SnapshotName;
  /** Id of the backup. */
  readonly id: string;
  /** RFC 3339. */
  readonly finishedAt: string;
}

/**
 * Remembers the newest complete snapshot that each store has shown to this user, in a file per store. A store that later
 * shows an older state causes a warning: encryption does not reveal deleted snapshots, or an old copy of a store.
 */
export class SeenSnapshots {
  readonly #context: StoreContext;
  readonly #warned = new Set<string>();

  constructor(context: StoreContext) {
    this.#context = context;
  }

  /** Compares `newest`, the newest complete snapshot of a store, with the remembered one. */
  async check(store: SnapStore, newest: SeenSnapshot | undefined): Promise<void> {
    await this.#update(store, (before) => {
      if (before === undefined || isNewer(newest, before)) return newest;
      if (newest?.name.text !== before.name.text) {
        this.#warn(store, before, newest === undefined ? "no complete snapshot" : describe(newest));
      } else this.#checkId(store, before, newest);
      return before;
    });
  }

  /** Like `check`, with a name alone, perhaps of an unfinished snapshot. */
  async checkNames(store: SnapStore, newest: SnapshotName | undefined): Promise<void> {
    await this.#update(store, (before) => {
      if (before === undefined) return before;
      if (newest === undefined || compareSnapshotNames(newest, before.name) < 0) {
        this.#warn(store, before, newest === undefined ? "no snapshot" : newest.text);
      }
      return before;
    });
  }

  /** Remembers a complete snapshot, unless a newer one was seen. */
  async remember(store: SnapStore, seen: SeenSnapshot): Promise<void> {
    await this.#update(store, (before) => {
      if (before === undefined || isNewer(seen, before)) return seen;
      this.#checkId(store, before, seen);
      return before;
    });
  }

  /** Call before this program deletes a snapshot: from then on `left` is the newest. */
  async forget(
    store: SnapStore,
    deleted: SnapshotName,
    left: SeenSnapshot | undefined,
  ): Promise<void> {
    await this.#update(store, (before) => (before?.name.text === deleted.text ? left : before));
  }

  #checkId(store: SnapStore, before: SeenSnapshot, shown: SeenSnapshot): void {
    if (shown.name.text !== before.name.text || shown.id === before.id) return;
    this.#warn(store, before, `another one under this name (backup ${shown.id})`);
  }

  #warn(store: SnapStore, before: SeenSnapshot, shown: string): void {
    if (this.#warned.has(store.place)) return;
    this.#warned.add(store.place);
    const file = this.#file(store)?.path;
    this.#context.report({
      type: "warning",
      message: `${store.name} shows an older state than before: it had ${describe(before)}, and its newest is ${shown} now. Unless that was deleted on purpose by another machine or a retention rule, do not trust this store; to end this warning, remove ${file}`,
    });
  }

  async #update(
    store: SnapStore,
    change: (before: SeenSnapshot | undefined) => SeenSnapshot | undefined,
  ): Promise<void> {
    const file = this.#file(store);
    if (file === undefined) {
      this.#note(
        "there is no folder to remember snapshots in: neither BACKUPTOOL_STATE_DIR nor a home",
      );
      return;
    }
    let before: SeenSnapshot | undefined;
    try {
      before = decode(await file.read());
    } catch (error) {
      if (!(error instanceof StateFileError)) throw error;
      this.#context.report({
        type: "warning",
        message: `what ${store.name} has shown before is not known: ${error.message}`,
      });
    }
    const after = change(before);
    if (after === before) return;
    try {
      if (after === undefined) await file.remove();
      else await file.write(encode(after, store));
    } catch (error) {
      if (!(error instanceof StateFileError)) throw error;
      const message = `what ${store.name} shows is not remembered: ${error.message}`;
      // A home in a container is often read-only; a folder that the user named must be writable.
      if (this.#context.stateFolder?.named) this.#context.report({ type: "warning", message });
      else this.#note(message);
    }
  }

  #file(store: SnapStore): StateFile | undefined {
    const folder = this.#context.stateFolder?.path;
    return folder === undefined ? undefined : new StateFile(folder, store.place);
  }

  #note(message: string): void {
    this.#context.report({ type: "note", message });
  }
}

/** The newest complete snapshot of a listing. */
export function newestComplete(listed: readonly StoredSnapshot[]): SeenSnapshot | undefined {
  return listed
    .map(seenSnapshot)
    .filter((one) => one !== undefined)
    .sort((a, b) => compareSnapshotNames(a.name, b.name))
    .at(-1);
}

/** Undefined unless it is complete. */
export function seenSnapshot({ name, state, facts }: StoredSnapshot): SeenSnapshot | undefined {
  if (state !== "complete" || facts === undefined) return undefined;
  return { name, id: facts.id, finishedAt: facts.finishedAt.slice(0, MAX_TIME_CHARACTERS) };
}

function isNewer(one: SeenSnapshot | undefined, other: SeenSnapshot): boolean {
  return one !== undefined && compareSnapshotNames(one.name, other.name) > 0;
}

function describe({ name, id, finishedAt }: SeenSnapshot): string {
  return `${name.text} (backup ${id}, finished ${finishedAt})`;
}

function encode({ name, id, finishedAt }: SeenSnapshot, store: SnapStore): string {
  const fields = { store: store.name, snapshot: name.text, id, finishedAt };
  return `${JSON.stringify(fields, null, 2)}\n`;
}

/** Throws StateFileError. */
function decode(text: string | undefined): SeenSnapshot | undefined {
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new StateFileError("it is not JSON", { cause });
  }
  const { snapshot, id, finishedAt } = (value ?? {}) as Partial<Record<string, unknown>>;
  const name = typeof snapshot === "string" ? parseSnapshotName(snapshot) : undefined;
  if (name === undefined || !isHex(id, 32) || typeof finishedAt !== "string") {
    throw new StateFileError("it is not what this program writes");
  }
  return { name, id, finishedAt };
}
