import { checkNotPinned, pinnedNames } from "../../snapshots/control/pins.js";
import { checkNotNeeded, deleteSnapshot } from "../../snapshots/delete.js";
import { foreignFile } from "../../snapshots/foreign-files.js";
import { checkNotCovered, heldNames } from "../../snapshots/holds.js";
import { CachedCatalog } from "../../snapshots/cached-catalog.js";
import { findSnapshot, type StoredSnapshot } from "../../snapshots/catalog.js";
import {
  checkNotHeldForDeltas,
  checkNotNeededByDeltas,
} from "../../snapshots/streams/stream-guards.js";
import type { StoreOutline } from "../../snapshots/list-store.js";
import { parseStreamName } from "../../snapshots/streams/stream-name.js";
import type { StoreConfig } from "../../snapstore/config.js";
import type { SnapStore } from "../../snapstore/store.js";
import type { StoreContext } from "../context.js";
import { newestComplete, SeenSnapshots } from "../open/seen-snapshots.js";
import { withStore } from "../open/stores.js";
import { deleteOne } from "./delete-one.js";
import { type ApproveDeletion, deleteStoredStream } from "./delete-stream.js";

interface SnapshotDeleteOptions {
  readonly store: StoreConfig;
  /** Name of a snapshot or stream. */
  readonly snapshot: string;
  /** Report what would be deleted, and delete nothing. */
  readonly dryRun: boolean;
  readonly approve?: ApproveDeletion | undefined;
}

/**
 * Deletes one snapshot, or one stream of deltas. Throws SNAPSHOT_HELD, SNAPSHOT_NEEDED for the base of another one or of
 * deltas, SNAPSHOT_PINNED for that of one that is being made, FOREIGN_FILE.
 */
export function deleteStoredSnapshot(
  options: SnapshotDeleteOptions,
  context: StoreContext,
): Promise<void> {
  const { signal, report } = context;
  const { dryRun } = options;
  const seen = new SeenSnapshots(context);
  const stream = parseStreamName(options.snapshot);
  const remove = async (store: SnapStore): Promise<void> => {
    if (stream !== undefined) return await deleteStoredStream(store, stream, options, context);
    const target = await findSnapshot(store, options.snapshot, signal);
    const catalog = new CachedCatalog(store);
    const contents = await catalog.outline(signal);
    const all = contents.snapshots;
    await seen.check(store, newestComplete(all));
    check(store, target, contents, {
      held: await heldNames(store, signal),
      pinned: await pinnedNames(store, new Date(), signal),
    });
    if (target.foreign !== undefined) throw foreignFile(store, target.foreign);
    const { state, facts, left: leftOver } = target;
    const bytes = facts?.bytes ?? leftOver?.bytes ?? 0;
    await options.approve?.({ name: target.name.text, state, bytes }, store.name);
    const snapshot = target.name.text;
    if (!dryRun) {
      const left = all.filter(({ name }) => name.text !== snapshot);
      await seen.forget(store, target.name, newestComplete(left));
    }
    const recheck = async ({ pinned }: { readonly pinned: ReadonlySet<string> }) => {
      const now = await catalog.outline(signal);
      check(store, target, now, { held: await heldNames(store, signal), pinned });
      return new Set([snapshot]);
    };
    const removed = dryRun
      ? await deleteSnapshot(store, snapshot, { dryRun, signal })
      : await deleteOne(store, { snapshots: [target] }, recheck, context);
    report({ type: "snapshot-deleted", snapshot, store: store.name, ...removed, dryRun });
  };
  return withStore(options.store, remove, undefined, context.guard);
}

/** Throws where something needs the snapshot, or keeps it. */
function check(
  store: SnapStore,
  target: StoredSnapshot,
  contents: StoreOutline,
  { held, pinned }: { readonly held: ReadonlySet<string>; readonly pinned: ReadonlySet<string> },
): void {
  const all = contents.snapshots;
  checkNotCovered(store, target, all, held);
  checkNotHeldForDeltas(store, target, contents, held);
  checkNotNeeded(target, all);
  checkNotNeededByDeltas(target, contents);
  checkNotPinned(target, all, pinned);
}
