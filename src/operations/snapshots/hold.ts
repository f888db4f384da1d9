import { BackupToolError, UsageError } from "../../errors.js";
import { sleep } from "../../flow/sleep.js";
import { quoted } from "../../quoted.js";
import { findBases } from "../../snapshots/chain.js";
import { findSnapshot, type StoredSnapshot } from "../../snapshots/catalog.js";
import { MAX_REASON_CHARACTERS, putHold, removeHold } from "../../snapshots/holds.js";
import { earlierTime } from "../../snapshots/control/store-time.js";
import { plannedDeletions } from "../../snapshots/control/plans.js";
import { manifestKey } from "../../snapshots/manifest.js";
import { outlineStore } from "../../snapshots/list-store.js";
import { parseSnapshotName } from "../../snapshots/name.js";
import { readStream } from "../../snapshots/streams/list-streams.js";
import { streamsHeldAbove } from "../../snapshots/streams/stream-guards.js";
import { parseStreamName, type StreamName } from "../../snapshots/streams/stream-name.js";
import type { StoreConfig } from "../../snapstore/config.js";
import type { SnapStore } from "../../snapstore/store.js";
import type { StoreContext } from "../context.js";
import { withStore } from "../open/stores.js";

interface HoldOptions {
  readonly store: StoreConfig;
  /** A name, or `latest`. */
  readonly snapshot: string;
  /** For people, one line. */
  readonly reason?: string | undefined;
  readonly now: Date;
}

/**
 * Holds a snapshot or stream: until it is released, neither it nor a base below it is deleted, nor the deltas from its raw
 * snapshot up to the next one, nor what deltas of it need.
 */
export function holdStoredSnapshot(options: HoldOptions, context: StoreContext): Promise<void> {
  const { reason, now } = options;
  const { signal, report } = context;
  checkReason(reason);
  return withStore(options.store, async (store) => {
    const stream = parseStreamName(options.snapshot);
    if (stream !== undefined) return await holdStream(store, stream, options, context);
    const target = await findSnapshot(store, options.snapshot, signal);
    const snapshot = target.name.text;
    await putHold(store, snapshot, { reason, heldAt: now }, signal);
    const covered =
      target.facts?.etcdSnapshot === undefined ? [] : await coveredBy(store, snapshot, signal);
    const bases = [...new Set([...(await basesOf(store, target, context)), ...covered])];
    await awaitDeletions(store, [snapshot, ...bases], context);
    await checkStillThere(store, target, signal);
    report({ type: "snapshot-held", snapshot, store: store.name, bases, reason });
    if (target.state !== "complete") {
      report({ type: "warning", message: `${snapshot} in ${store.name} is ${target.state}` });
    }
  });
}

async function holdStream(
  store: SnapStore,
  stream: StreamName,
  { reason, now }: HoldOptions,
  context: StoreContext,
): Promise<void> {
  const { signal, report } = context;
  const { text: snapshot } = stream;
  const before = await readStream(store, stream, signal);
  if (before === undefined) throw noStream(store, snapshot);
  await putHold(store, snapshot, { reason, heldAt: now }, signal);
  const bases = await coveredBy(store, snapshot, signal);
  await awaitDeletions(store, [snapshot, ...bases], context);
  // A deletion that had begun before the hold may have been the first.
  const after = await readStream(store, stream, signal);
  if (after === undefined) {
    await removeHold(store, snapshot, signal);
    throw noStream(store, snapshot);
  }
  report({ type: "snapshot-held", snapshot, store: store.name, bases, reason });
  const lost = before.deltas.length - after.deltas.length;
  if (lost > 0) {
    const message = `a deletion that was planned before this hold has taken the last ${lost} deltas of ${snapshot} in ${store.name}`;
    report({ type: "warning", message });
  }
}

/** The names that a hold on one covers because of deltas. */
async function coveredBy(store: SnapStore, name: string, signal: AbortSignal): Promise<string[]> {
  return [...streamsHeldAbove(await outlineStore(store, signal), new Set([name])).keys()];
}

function noStream(store: SnapStore, stream: string): BackupToolError {
  return new BackupToolError("NO_SNAPSHOT", `${store.name} holds no stream ${stream}`, {
    hint: "list the snapshots to see the names of streams",
  });
}

interface ReleaseOptions {
  readonly store: StoreConfig;
  readonly snapshot: string;
}

/** Ends a hold, also one on a snapshot that is not in the store. Throws NO_HOLD. */
export function releaseStoredSnapshot(
  options: ReleaseOptions,
  { signal, report }: StoreContext,
): Promise<void> {
  const { snapshot } = options;
  if ((parseSnapshotName(snapshot) ?? parseStreamName(snapshot)) === undefined) {
    throw new UsageError(`invalid snapshot name ${quoted(snapshot)}`, {
      hint: "list the snapshots to see their names",
    });
  }
  return withStore(options.store, async (store) => {
    if (!(await removeHold(store, snapshot, signal))) {
      throw new BackupToolError("NO_HOLD", `${snapshot} in ${store.name} is not held`, {
        hint: "a hold on a snapshot also keeps the bases below it: list the snapshots to see holds",
      });
    }
    report({ type: "snapshot-released", snapshot, store: store.name });
  });
}

function checkReason(reason: string | undefined): void {
  if (reason === undefined || reason.length <= MAX_REASON_CHARACTERS) return;
  throw new UsageError(`the reason has more than ${MAX_REASON_CHARACTERS} characters`);
}

/** The names of the bases that the hold covers. A missing one is a warning: the hold keeps those that are there. */
async function basesOf(
  store: SnapStore,
  target: StoredSnapshot,
  { signal, report }: StoreContext,
): Promise<string[]> {
  try {
    return (await findBases(store, target, signal)).map(({ text }) => text);
  } catch (error) {
    if (!(error instanceof BackupToolError && error.code === "NO_SNAPSHOT")) throw error;
    report({ type: "warning", message: error.message });
    return [];
  }
}

/**
 * Longest wait for deletions that were planned before the hold, ms. A deletion that is at work looks for holds more often; the
 * plan of one whose process has died stays for a day.
 */
const DELETION_MS = 15 * 60_000;
const NOTICE_MS = 60_000;
const LOOK_MS = 1_000;

/** A deletion whose second look came before the hold does not see it: waits until none is planned. */
async function awaitDeletions(
  store: SnapStore,
  snapshots: readonly string[],
  { signal, report }: StoreContext,
): Promise<void> {
  // Plans are of a day: in some minutes hardly one gets too old.
  const now = await earlierTime(store, signal);
  for (let waited = 0; waited <= DELETION_MS; waited += LOOK_MS) {
    const { names, unreadable } = await plannedDeletions(store, now, signal);
    if (unreadable === undefined && !snapshots.some((name) => names.has(name))) return;
    if (waited === NOTICE_MS) {
      const minutes = DELETION_MS / 60_000;
      const message = `waiting up to ${minutes} minutes for a deletion in ${store.name} that was planned before this hold`;
      report({ type: "warning", message });
    }
    await sleep(LOOK_MS, signal);
  }
  report({
    type: "warning",
    message: `a deletion in ${store.name} was planned before this hold, and may not observe it: list the snapshots again in a while`,
  });
}

/** A deletion that had begun before the hold may have been the first. */
async function checkStillThere(
  store: SnapStore,
  { name, state }: StoredSnapshot,
  signal: AbortSignal,
): Promise<void> {
  if (state !== "complete") return;
  if ((await store.head(manifestKey(name.text), signal)) !== undefined) return;
  await removeHold(store, name.text, signal);
  throw new BackupToolError("NO_SNAPSHOT", `${name.text} in ${store.name} was deleted meanwhile`);
}
