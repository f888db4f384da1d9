import type { WriteGuard } from "../../snapstore/layers/guarded.js";
import type { SnapStore } from "../../snapstore/store.js";
import { listControlFiles, readControlFile } from "./control-file.js";
import { isLive } from "./lifetime.js";
import { putListedFile } from "./listed-file.js";
import { RenewedFiles } from "./renewed-file.js";
import { usingReserve } from "./reserve.js";

/** So many names fit into a control file. */
const NAMES_A_FILE = 500;

/** Snapshots that a process is about to delete, for others to see. */
export interface DeletionPlan extends WriteGuard {
  /** The store's time at which it was put. */
  readonly storeTime: Date;
  /** Never throws. */
  remove(): Promise<void>;
  /** Leaves the plan in the store, where it counts for a day. */
  leave(): Promise<void>;
}

export async function publishPlan(
  store: SnapStore,
  snapshots: readonly string[],
  signal: AbortSignal,
): Promise<DeletionPlan> {
  let storeTime = new Date(0);
  const write = async (inner: AbortSignal): Promise<string[]> => {
    const keys: string[] = [];
    for (let at = 0; at < snapshots.length; at += NAMES_A_FILE) {
      const some = snapshots.slice(at, at + NAMES_A_FILE);
      const put = () => putListedFile(store, "plans", "", { snapshots: some }, inner);
      const { own } = await usingReserve(store, put, inner);
      storeTime = own.modified;
      keys.push(own.key);
    }
    return keys;
  };
  const files = await RenewedFiles.write(store, "the plan of a deletion", write, signal);
  return {
    storeTime,
    check: () => files.check(),
    confirm: () => files.confirm(),
    remove: () => files.remove(),
    leave: () => files.leave(),
  };
}

/** What processes are about to delete. */
export interface PlannedDeletions {
  readonly names: ReadonlySet<string>;
  /** Key of a plan that cannot be read: it may name any snapshot. */
  readonly unreadable?: string | undefined;
}

/** @param now by the clock of the store */
export async function plannedDeletions(
  store: SnapStore,
  now: Date,
  signal: AbortSignal,
): Promise<PlannedDeletions> {
  const names = new Set<string>();
  let unreadable: string | undefined;
  for (const file of await listControlFiles(store, "plans", signal)) {
    if (!isLive(file, now)) continue;
    const content = await readControlFile(store, file.key, signal);
    if (content === undefined) continue;
    const planned = "fields" in content ? namesIn(content.fields["snapshots"]) : undefined;
    if (planned === undefined) unreadable = file.key;
    for (const name of planned ?? []) names.add(name);
  }
  return { names, unreadable };
}

function namesIn(value: unknown): string[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const names = value.filter((name) => typeof name === "string");
  return names.length === value.length ? names : undefined;
}
