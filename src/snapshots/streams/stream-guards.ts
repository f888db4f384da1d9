import { BackupToolError } from "../../errors.js";
import type { SnapStore } from "../../snapstore/store.js";
import type { StoredSnapshot } from "../catalog.js";
import { snapshotHeld } from "../holds.js";
import type { StoreOutline } from "../list-store.js";
import { LogNeeds } from "./log-needs.js";
import type { StreamOutline } from "./stream-outline.js";

/** Throws SNAPSHOT_HELD if a stream is held, or a snapshot or stream because a hold on another covers its deltas. */
export function checkNotHeldForDeltas(
  store: SnapStore,
  { name: { text } }: Pick<StoredSnapshot | StreamOutline, "name">,
  contents: StoreOutline,
  held: ReadonlySet<string>,
): void {
  if (held.has(text)) throw snapshotHeld(store, text);
  const above = streamsHeldAbove(contents, held).get(text);
  if (above !== undefined) throw snapshotHeld(store, text, above);
}

/**
 * The names that a hold on another snapshot or stream covers because of deltas, each with the name that is held: the streams
 * up to the next raw snapshot after a held one, that snapshot, and what the deltas of these and of held streams need.
 */
export function streamsHeldAbove(
  { snapshots, streams }: StoreOutline,
  held: ReadonlySet<string>,
): Map<string, string> {
  const needs = new LogNeeds(snapshots, streams);
  const covered = new Map<string, string>();
  const cover = (name: string, above: string): void => {
    if (name !== above && !covered.has(name)) covered.set(name, above);
  };
  for (const { name } of [...snapshots, ...streams]) {
    if (!held.has(name.text)) continue;
    const after = needs.streamsAfter(name.text);
    for (const one of after.streams) {
      cover(one.name.text, name.text);
      for (const need of needs.needsOf(one)) cover(need, name.text);
    }
    if (after.end !== undefined) cover(after.end, name.text);
  }
  for (const one of streams.filter(({ name }) => held.has(name.text))) {
    for (const need of needs.needsOf(one)) cover(need, one.name.text);
  }
  return covered;
}

/** Throws SNAPSHOT_NEEDED if the deltas of another stream need this snapshot or stream. */
export function checkNotNeededByDeltas(
  { name: { text } }: Pick<StoredSnapshot | StreamOutline, "name">,
  { snapshots, streams }: StoreOutline,
): void {
  const needs = new LogNeeds(snapshots, streams);
  const dependents = streams.filter(
    (one) => one.name.text !== text && needs.needsOf(one).has(text),
  );
  const [first] = dependents.toReversed();
  if (first === undefined) return;
  const others = dependents.length === 1 ? "" : ` and ${dependents.length - 1} more`;
  throw new BackupToolError(
    "SNAPSHOT_NEEDED",
    `${text} is needed by the deltas of ${first.name.text}${others}`,
    { hint: "delete those first" },
  );
}

/** Throws SNAPSHOT_PINNED if a stream is being written, or is needed by one that is. */
export function checkStreamNotPinned(
  { name: { text } }: Pick<StreamOutline, "name">,
  { snapshots, streams }: StoreOutline,
  pinned: ReadonlySet<string>,
): void {
  const needs = new LogNeeds(snapshots, streams);
  const writing = streams.filter(({ name }) => pinned.has(name.text));
  if (!pinned.has(text) && !writing.some((one) => needs.needsOf(one).has(text))) return;
  throw new BackupToolError(
    "SNAPSHOT_PINNED",
    `${text} is being written, or needed by deltas that are`,
    {
      hint: "end the server that writes it; if its process has died, its pin ends after a day",
    },
  );
}
