import { BackupToolError, InterruptedError } from "../../errors.js";
import { compareSnapshotNames, snapshotKey } from "../../snapshots/name.js";
import { listSnapshots, type StoredSnapshot } from "../../snapshots/catalog.js";
import type { StoreConfig } from "../../snapstore/config.js";
import type { SnapStore } from "../../snapstore/store.js";
import type { StoreContext } from "../context.js";
import { newestComplete, SeenSnapshots } from "../open/seen-snapshots.js";
import type { SnapshotRow } from "./events.js";
import { withStore, withTwoStores } from "../open/stores.js";

interface SnapshotListOptions {
  readonly primary: StoreConfig;
  readonly secondary?: StoreConfig | undefined;
  /** The time that ages are counted from. */
  readonly now: Date;
}

type Listed = readonly StoredSnapshot[] | undefined;

/** Reports every snapshot of the stores, oldest first. False when one of the two could not be listed. */
export async function listStoredSnapshots(
  options: SnapshotListOptions,
  context: StoreContext,
): Promise<boolean> {
  const { primary, secondary, now } = options;
  const { report } = context;
  const seen = new SeenSnapshots(context);
  const list = async (store: SnapStore): Promise<StoredSnapshot[]> => {
    const listed = await listSnapshots(store, context.signal);
    await seen.check(store, newestComplete(listed));
    return listed;
  };
  const show = (ofPrimary: Listed, ofSecondary: Listed): void => {
    const rows = [...rowsOf(primary.prefix, ofPrimary ?? [], ofSecondary, now)];
    report({ type: "snapshots", count: rows.length });
    for (const row of rows) report({ type: "snapshot", ...row });
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
    show(first.listed, second.listed ?? []);
    return first.error === undefined && second.error === undefined;
  });
}

/** The list, or an error: the other store is listed all the same. */
async function attempt(
  list: () => Promise<StoredSnapshot[]>,
): Promise<{ listed?: Listed; error?: BackupToolError }> {
  try {
    return { listed: await list() };
  } catch (error) {
    if (error instanceof InterruptedError || !(error instanceof BackupToolError)) throw error;
    return { error };
  }
}

function* rowsOf(
  directory: string,
  primary: readonly StoredSnapshot[],
  secondary: Listed,
  now: Date,
): Generator<SnapshotRow> {
  const names = new Map([...primary, ...(secondary ?? [])].map(({ name }) => [name.text, name]));
  const first = new Map(primary.map((one) => [one.name.text, one]));
  const second = new Map(secondary?.map((one) => [one.name.text, one]));
  const byId = new Map<string, string>();
  for (const { facts, name } of [...primary, ...(secondary ?? [])]) {
    if (facts !== undefined) byId.set(facts.id, name.text);
  }
  const repeated = new Map([...sameBackups(secondary ?? []), ...sameBackups(primary)]);
  for (const name of [...names.values()].sort(compareSnapshotNames)) {
    const [one, other] = [first.get(name.text), second.get(name.text)];
    const facts = one?.facts ?? other?.facts;
    const base = facts?.base ?? undefined;
    const differ =
      one?.facts !== undefined && other?.facts !== undefined && one.facts.id !== other.facts.id;
    const problem = differ
      ? "the two stores hold different backups"
      : (one?.problem ?? other?.problem ?? repeated.get(name.text));
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
      files: facts?.files ?? one?.left?.files ?? other?.left?.files ?? 0,
      bytes: facts?.bytes ?? one?.left?.bytes ?? other?.left?.bytes ?? 0,
      primary: one?.state ?? "absent",
      ...(secondary === undefined ? {} : { secondary: other?.state ?? "absent" }),
      ...(problem === undefined ? {} : { problem }),
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
