import { BackupToolError } from "../errors.js";
import type { SnapStore } from "../snapstore/store.js";
import { deleteSnapshot, type Removed } from "./delete.js";
import { isOwnKey } from "./own-keys.js";
import { manifestKey } from "./manifest.js";
import type { SnapshotName } from "./name.js";
import { listSnapshots, type StoredSnapshot } from "./catalog.js";

export interface PruneOptions {
  /** Nothing that was written to since then is touched. */
  readonly olderThan: Date;
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
  /** All that is there, before anything is removed. */
  onListed?(listed: readonly StoredSnapshot[]): Promise<void>;
  onRemoved(name: SnapshotName, removed: Removed): void;
  /** Unfinished, and too young to be sure that nobody writes it. */
  onKept(name: SnapshotName): void;
  /** Unfinished and old, and kept because another program has a file in it. */
  onForeign(name: SnapshotName, error: BackupToolError): void;
}

/** Removes unfinished snapshots, and uploads that were begun and never ended. Returns how many uploads. */
export async function pruneIncomplete(store: SnapStore, options: PruneOptions): Promise<number> {
  const { olderThan, dryRun, signal } = options;
  const spare: string[] = [];
  const now = Date.now();
  const listed = await listSnapshots(store, signal);
  await options.onListed?.(listed);
  for (const snapshot of listed) {
    if (snapshot.state !== "unfinished") continue;
    const { name } = snapshot;
    if (lastTouched(snapshot, now) >= olderThan.getTime()) {
      options.onKept(name);
      // Some of its uploads last as long as the run that writes it: INDEX.bin from the first object to the last.
      spare.push(`${name.text}/`);
      continue;
    }
    // It may have been finished since it was listed.
    if ((await store.head(manifestKey(name.text), signal)) !== undefined) continue;
    const removed = await unlessForeign(deleteSnapshot(store, name.text, { dryRun, signal }));
    if (removed instanceof BackupToolError) {
      options.onForeign(name, removed);
      spare.push(`${name.text}/`);
    } else options.onRemoved(name, removed);
  }
  if (dryRun) return 0;
  return await store.abortStaleUploads("", olderThan, { spare, only: isOwnKey, signal });
}

async function unlessForeign(deletion: Promise<Removed>): Promise<Removed | BackupToolError> {
  try {
    return await deletion;
  } catch (error) {
    if (error instanceof BackupToolError && error.code === "FOREIGN_FILE") return error;
    throw error;
  }
}

/** Milliseconds since 1970. */
function lastTouched({ name, left }: StoredSnapshot, now: number): number {
  const named = name.time * 1000;
  // A name from the future, made by another clock or after such a one, would keep it until then.
  return Math.max(named > now ? 0 : named, left?.modified?.getTime() ?? 0);
}
