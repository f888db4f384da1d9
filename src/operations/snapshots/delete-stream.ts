import { BackupToolError } from "../../errors.js";
import { CachedCatalog } from "../../snapshots/cached-catalog.js";
import { pinnedNames } from "../../snapshots/control/pins.js";
import { foreignFile } from "../../snapshots/foreign-files.js";
import { heldNames } from "../../snapshots/holds.js";
import type { StoreOutline } from "../../snapshots/list-store.js";
import { deleteStream } from "../../snapshots/streams/delete-stream.js";
import { LogNeeds } from "../../snapshots/streams/log-needs.js";
import type { StreamOutline } from "../../snapshots/streams/stream-outline.js";
import {
  checkNotNeededByDeltas,
  checkNotHeldForDeltas,
  checkStreamNotPinned,
} from "../../snapshots/streams/stream-guards.js";
import type { StreamName } from "../../snapshots/streams/stream-name.js";
import type { SnapStore } from "../../snapstore/store.js";
import type { StoreContext } from "../context.js";
import { deleteOne } from "./delete-one.js";

/** Called before the first deletion; throws to prevent it. */
export type ApproveDeletion = (
  what: { readonly name: string; readonly state: string; readonly bytes: number },
  store: string,
) => Promise<void>;

/**
 * Deletes one stream of deltas. Throws NO_SNAPSHOT, SNAPSHOT_HELD, SNAPSHOT_NEEDED for one that the deltas of another need,
 * SNAPSHOT_PINNED for one that is being written, FOREIGN_FILE.
 */
export async function deleteStoredStream(
  store: SnapStore,
  name: StreamName,
  { dryRun, approve }: { readonly dryRun: boolean; readonly approve?: ApproveDeletion | undefined },
  context: StoreContext,
): Promise<void> {
  const { signal, report } = context;
  const catalog = new CachedCatalog(store);
  const contents = await catalog.outline(signal);
  const target = find(store, name, contents);
  check(store, target, contents, {
    held: await heldNames(store, signal),
    pinned: await pinnedNames(store, new Date(), signal),
  });
  if (target.foreign !== undefined) throw foreignFile(store, target.foreign);
  const { problem, gaps, left } = target;
  const state = problem !== undefined ? "damaged" : gaps.length > 0 ? "with gaps" : "complete";
  await approve?.({ name: name.text, state, bytes: left.bytes }, store.name);
  const needs = new LogNeeds(contents.snapshots, contents.streams).needsOf(target);
  const recheck = async ({ pinned }: { readonly pinned: ReadonlySet<string> }) => {
    const now = await catalog.outline(signal);
    check(store, target, now, { held: await heldNames(store, signal), pinned });
    return new Set([name.text]);
  };
  const removed = dryRun
    ? await deleteStream(store, name, { dryRun, signal })
    : await deleteOne(store, { streams: [{ name, needs }] }, recheck, context);
  report({ type: "snapshot-deleted", snapshot: name.text, store: store.name, ...removed, dryRun });
}

function find(store: SnapStore, name: StreamName, { streams }: StoreOutline): StreamOutline {
  const found = streams.find((one) => one.name.text === name.text);
  if (found !== undefined) return found;
  throw new BackupToolError("NO_SNAPSHOT", `${store.name} holds no stream ${name.text}`, {
    hint: "list the snapshots to see the names of streams",
  });
}

function check(
  store: SnapStore,
  target: StreamOutline,
  contents: StoreOutline,
  { held, pinned }: { readonly held: ReadonlySet<string>; readonly pinned: ReadonlySet<string> },
): void {
  checkNotHeldForDeltas(store, target, contents, held);
  checkNotNeededByDeltas(target, contents);
  checkStreamNotPinned(target, contents, pinned);
}
