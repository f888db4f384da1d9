import { randomBytes } from "node:crypto";
import { sleep } from "../../flow/sleep.js";
import { StoreError } from "../../snapstore/errors.js";
import type { SnapStore } from "../../snapstore/store.js";
import {
  type ControlFile,
  type ControlFolder,
  controlKey,
  listControlFiles,
  putControlFile,
} from "./control-file.js";
import { noteLeftBehind, REMOVE_MS } from "./left-behind.js";

/** Maximum delay of a listing, ms. */
const LATE_MS = 60_000;
const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 5_000;

interface Listed {
  /** The new file; its time is that of the store's clock. */
  readonly own: ControlFile;
  /** The other files below the same folder. */
  readonly others: readonly ControlFile[];
}

/**
 * Puts a control file with a random name, and resolves once the store lists it. Two processes that each put a file, and
 * then look for that of the other, cannot miss both: the one whose file is listed second finds the first.
 *
 * @param under its folder; with a `/` at its end, or empty
 */
export async function putListedFile(
  store: SnapStore,
  folder: ControlFolder,
  under: string,
  fields: Readonly<Record<string, unknown>>,
  signal: AbortSignal,
): Promise<Listed> {
  const path = `${under}${randomBytes(8).toString("hex")}`;
  const key = controlKey(folder, path);
  await putControlFile(store, key, fields, { ifAbsent: true, signal });
  let waited = 0;
  for (let wait = FIRST_WAIT_MS; ; wait = Math.min(2 * wait, LONGEST_WAIT_MS)) {
    const listed = await listControlFiles(store, folder, signal, under);
    const own = listed.find((file) => file.path === path);
    if (own !== undefined) return { own, others: listed.filter((file) => file !== own) };
    if (waited + wait > LATE_MS) {
      throw new StoreError("STORE_FAILED", `${key} was written, but the store does not list it`, {
        store: store.name,
      });
    }
    await sleep(wait, signal);
    waited += wait;
  }
}

/**
 * Removes a control file of this process; resolves with whether that succeeded. Never throws: this process tries again with its
 * next removal of stale files, and others ignore the file when it is a day old.
 */
export async function removeControlFile(store: SnapStore, key: string): Promise<boolean> {
  try {
    await store.delete(key, AbortSignal.timeout(REMOVE_MS));
    return true;
  } catch {
    noteLeftBehind(store, key);
    return false;
  }
}
