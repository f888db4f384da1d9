import { BackupToolError, InterruptedError } from "../../errors.js";
import { compareSnapshotNames, snapshotKey } from "../../snapshots/name.js";
import { inParallel } from "../../flow/in-parallel.js";
import { heldNames, type Hold, readHold } from "../../snapshots/holds.js";
import type { StoredSnapshot } from "../../snapshots/catalog.js";
import { outlineStore } from "../../snapshots/list-store.js";
import type { StreamOutline } from "../../snapshots/streams/stream-outline.js";
import type { StoreConfig } from "../../snapstore/config.js";
import type { SnapStore } from "../../snapstore/store.js";
import type { StoreContext } from "../context.js";
import { newestComplete, SeenSnapshots } from "../open/seen-snapshots.js";
import type { SnapshotRow } from "./events.js";
import { heldIn } from "./held-in.js";
import { streamRows } from "./stream-rows.js";
import { withStore, withTwoStores } from "../open/stores.js";

interface SnapshotListOptions {
  readonly primary: StoreConfig;
  readonly secondary?: StoreConfig | undefined;
  /** The time that ages are counted from. */
  readonly now: Date;
}

/** The snapshots of one store, and the holds on them by name. */
export interface StoreListing {
  readonly snapshots: readonly StoredSnapshot[];
  readonly holds: ReadonlyMap<string, Hold>;
}

/** With the streams of deltas. */
interface WholeListing extends StoreListing {
  readonly streams: readonly StreamOutline[];
}

type Listed = WholeListing | undefined;

/** Holds read concurrently. */
const HOLDS = 8;

/** Reports every snapshot of the stores, and then every stream of deltas, oldest first. False when one of the two could not be listed. */
export async function listStoredSnapshots(
  options: SnapshotListOptions,
  context: StoreContext,
): Promise<boolean> {
  const { primary, secondary, now } = options;
  const { report } = context;
  const seen = new SeenSnapshots(context);
  const list = async (store: SnapStore): Promise<WholeListing> => {
    const { snapshots, streams } = await outlineStore(store, context.signal);
    await seen.check(store, newestComplete(snapshots));
    const names = [...snapshots, ...streams].map(({ name }) => name.text);
    return { snapshots, streams, holds: await holdsOn(store, names, context.signal) };
  };
  const show = (ofPrimary: Listed, ofSecondary: Listed): void => {
    const rows = [...snapshotRows(primary.prefix, ofPrimary ?? NONE, ofSecondary, now)];
    report({ type: "snapshots", count: rows.length });
    for (const row of rows) report({ type: "snapshot", ...row });
    const streams = [...streamRows(ofPrimary ?? NONE, ofSecondary, now)];
    if (streams.length > 0) report({ type: "streams", count: streams.length });
    for (const row of streams) report({ type: "stream", ...row });
  };
  if (secondary === undefined) {
    await withStore(primary, async (store) => show(await list(store), undefined));
    return true;
  }
  return await withTwoStores(primary, secondary, async (one, other) => {
    const [first, second] = await Promise.all([
      attempt(() => list(one)),
      attempt(() => list(other)),
    ]);
    if (first.listed === undefined && second.listed === undefined) throw first.error;
    for (const { error } of [first, second]) {
      if (error !== undefined) report({ type: "warning", message: `not listed: ${error.message}` });
    }
    show(first.listed, second.listed ?? NONE);
    return first.error === undefined && second.error === undefined;
  });
}

const NONE: WholeListing = { snapshots: [], streams: [], holds: new Map() };

async function holdsOn(
  store: SnapStore,
  names: readonly string[],
  signal: AbortSignal,
): Promise<Map<string, Hold>> {
  const held = await heldNames(store, signal);
  const holds = new Map<string, Hold>();
  const isHeld = (name: string): boolean => held.has(name);
  await inParallel(names.filter(isHeld), HOLDS, async (name) => {
    const hold = await readHold(store, name, signal);
    if (hold !== undefined) holds.set(name, hold);
  });
  return holds;
}

/** The list, or an error: the other store is listed all the same. */
async function attempt(
  list: () => Promise<WholeListing>,
): Promise<{ listed?: Listed; error?: BackupToolError }> {
  try {
    return { listed: await list() };
  } catch (error) {
    if (error instanceof InterruptedError || !(error instanceof BackupToolError)) throw error;
    return { error };
  }
}

/** The rows of one store or of two, oldest first. @param directory the prefix of the primary store */
export function* snapshotRows(
  directory: string,
  { snapshots: primary, holds }: StoreListing,
  other: StoreListing | undefined,
  now: Date,
): Generator<SnapshotRow> {
  const secondary = other?.snapshots;
  const names = new Map([...primary, ...(secondary ?? [])].map(({ name }) => [name.text, name]));
  const first = new Map(primary.map((one) => [one.name.text, one]));
  const second = new Map(secondary?.map((one) => [one.name.text, one]));
  const byId = new Map<string, string>();
  for (const { facts, name } of [...primary, ...(secondary ?? [])]) {
    if (facts !== undefined) byId.set(facts.id, name.text);
  }
  const repeated = new Map([...sameBackups(secondary ?? []), ...sameBackups(primary)]);
  for (const name of [...names.values()].sort(compareSnapshotNames)) {
    const [one, two] = [first.get(name.text), second.get(name.text)];
    const facts = one?.facts ?? two?.facts;
    const base = facts?.base ?? undefined;
    const differ =
      one?.facts !== undefined && two?.facts !== undefined && one.facts.id !== two.facts.id;
    const problem = differ
      ? "the two stores hold different backups"
      : (one?.problem ?? two?.problem ?? repeated.get(name.text));
    yield {
      key: snapshotKey(directory, name),
      name: name.text,
      kind: name.kind,
      time: new Date(name.time * 1000).toISOString(),
      ageSeconds: Math.max(0, Math.floor(now.getTime() / 1000 - name.time)),
      firstRevision: name.firstRevision,
      lastRevision: name.lastRevision,
      ...(facts === undefined ? {} : { id: facts.id, finishedAt: facts.finishedAt }),
      ...(base === undefined ? {} : { base }),
      ...(base === undefined ? {} : { baseName: byId.get(base) ?? "missing" }),
      files: facts?.files ?? one?.left?.files ?? two?.left?.files ?? 0,
      bytes: facts?.bytes ?? one?.left?.bytes ?? two?.left?.bytes ?? 0,
      primary: one?.state ?? "absent",
      ...(secondary === undefined ? {} : { secondary: two?.state ?? "absent" }),
      ...(problem === undefined ? {} : { problem }),
      ...heldIn(name.text, holds, other?.holds),
    };
  }
}

/** The problems of names in one store with the same backup, which was made under one of them. */
function* sameBackups(listed: readonly StoredSnapshot[]): Generator<[string, string]> {
  const byId = new Map<string, string>();
  for (const { facts, name } of listed) {
    if (facts === undefined) continue;
    const first = byId.get(facts.id);
    if (first === undefined) byId.set(facts.id, name.text);
    else yield [name.text, `it holds the same backup as ${first}`];
  }
}
