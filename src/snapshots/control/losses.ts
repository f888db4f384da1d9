import { randomBytes } from "node:crypto";
import { inParallel } from "../../flow/in-parallel.js";
import type { SnapStore } from "../../snapstore/store.js";
import { controlKey, listControlFiles, putControlFile, readControlFile } from "./control-file.js";
import { usingReserve } from "./reserve.js";
import { removeControlFile } from "./listed-file.js";

/** So many names fit into a control file. */
const NAMES_A_FILE = 500;
/** Of more files the newest are read: a hostile store could fill the memory. */
const MAX_FILES = 10_000;
/** Requests at the same time. */
const WINDOW = 8;

/** What it meant that snapshots of a secondary had gone from the primary, when that was first seen. */
export interface LossFacts {
  /** Complete snapshots that had gone since the look before. */
  readonly lost: number;
  /** Complete snapshots that both stores had until then. */
  readonly of: number;
  /** Whether the newest of those that can be restored was lost. */
  readonly newestChain: boolean;
}

export interface Loss extends LossFacts {
  readonly names: readonly string[];
}

/**
 * Losses of the primary, in files in the secondary: the two stores grow on, and the next process could not tell any
 * more how large a loss was. A file is never changed, and removed when none of its snapshots is missing any more.
 */
export class LossRecords {
  readonly #store: SnapStore;
  /** By key; null for a file that cannot be read. */
  readonly #files = new Map<string, Loss | null>();

  constructor(store: SnapStore) {
    this.#store = store;
  }

  /** What is known of the missing snapshots, also by files of other processes. Throws StoreError. */
  async read(missing: ReadonlySet<string>, signal: AbortSignal): Promise<Loss[]> {
    const listed = (await listControlFiles(this.#store, "losses", signal))
      .sort((a, b) => b.modified.getTime() - a.modified.getTime())
      .slice(0, MAX_FILES);
    const unread = listed.filter(({ key }) => !this.#files.has(key));
    await inParallel(unread, WINDOW, async ({ key }) => {
      const content = await readControlFile(this.#store, key, signal);
      if (content === undefined) return;
      this.#files.set(key, "fields" in content ? lossIn(content.fields, missing) : null);
    });
    return [...this.#files.values()].filter((loss) => loss !== null);
  }

  /** Throws StoreError. */
  async add({ names, lost, of, newestChain }: Loss, signal: AbortSignal): Promise<void> {
    const set = randomBytes(8).toString("hex");
    for (let at = 0; at < names.length; at += NAMES_A_FILE) {
      const some = names.slice(at, at + NAMES_A_FILE);
      const key = controlKey("losses", `${set}-${at / NAMES_A_FILE}`);
      const fields = { snapshots: some, lost, of, newestChain };
      const put = () => putControlFile(this.#store, key, fields, { ifAbsent: true, signal });
      // A mirror deletes nothing before its losses are noted, and is to make room in a full store too.
      await usingReserve(this.#store, put, signal);
      this.#files.set(key, { names: some, lost, of, newestChain });
    }
  }

  /** Removes the files that name none of the missing snapshots. A file that cannot be removed is tried again. */
  async keepOnly(missing: ReadonlySet<string>): Promise<void> {
    const over = [...this.#files]
      .filter(([, loss]) => loss !== null && !loss.names.some((name) => missing.has(name)))
      .map(([key]) => key);
    await inParallel(over, WINDOW, async (key) => {
      if (await removeControlFile(this.#store, key)) this.#files.delete(key);
    });
  }
}

/** Null for what makes no sense: anyone who can write to the store could have written it. */
function lossIn(
  fields: Readonly<Record<string, unknown>>,
  missing: ReadonlySet<string>,
): Loss | null {
  const { snapshots, lost, of, newestChain } = fields;
  if (!Array.isArray(snapshots) || !isCount(lost) || !isCount(of)) return null;
  const names = snapshots.slice(0, NAMES_A_FILE).filter((name) => missing.has(name));
  return { names, lost, of, newestChain: newestChain === true };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}
