import { type BackupFiles, FolderFiles } from "../../archive/backup-files.js";
import { readManifest } from "../../archive/manifest/manifest.js";
import { BackupToolError, UsageError } from "../../errors.js";
import { quoted } from "../../quoted.js";
import { begunAt } from "../../snapshots/begun-at.js";
import type { StoredSnapshot } from "../../snapshots/catalog.js";
import { listStore } from "../../snapshots/list-store.js";
import { parseSnapshotName, type SnapshotName } from "../../snapshots/name.js";
import { SnapshotFiles } from "../../snapshots/snapshot-files.js";
import type { DeltaTable } from "../../snapshots/streams/delta-table.js";
import { type LogSite, logStreams } from "../../snapshots/streams/log-stream.js";
import { runsOf, type StoredStream } from "../../snapshots/streams/stored-stream.js";
import { parseStreamName, type StreamName } from "../../snapshots/streams/stream-name.js";
import { StoreError } from "../../snapstore/errors.js";
import type { SnapStore } from "../../snapstore/store.js";
import type { StoreContext } from "../context.js";
import { type BackupLocation, originalFolder } from "../open/backup-location.js";
import { newestComplete, SeenSnapshots } from "../open/seen-snapshots.js";
import { checkDistinct, openRetrying } from "../open/stores.js";
import type { PlannedStream } from "./plan/log-line.js";
import type { HistoryBase } from "./plan/plan-history.js";

/** A raw snapshot in a folder or in a store. Two stores with one backup have two of them. */
export interface StoredHistoryBase extends HistoryBase {
  readonly files: BackupFiles;
  /** Of a backup in a store. */
  readonly snapshot?: SnapshotName | undefined;
  /** Of the base of a stream. */
  readonly stream?: StreamName | undefined;
  /** Id of the backup. */
  readonly id: string;
}

/** A stream with the deltas of all stores. */
export interface HistoryStream extends PlannedStream {
  readonly name: StreamName;
  readonly deltas: DeltaTable;
}

/** The raw snapshots and deltas of etcd in a folder or in stores. */
export interface HistoryContents {
  /** For messages. */
  readonly where: string;
  readonly bases: readonly StoredHistoryBase[];
  /** Raw snapshots that are damaged: they show what happened to etcd. */
  readonly damaged: readonly HistoryBase[];
  readonly streams: readonly HistoryStream[];
  /** What is in each store; none for a folder. */
  readonly sites: readonly LogSite[];
  /** Whether one backup was asked for by its name: then only it is a base. */
  readonly named: boolean;
}

export interface StoredHistory extends HistoryContents {
  close(): Promise<void>;
}

/**
 * Lists what a folder or stores hold of etcd's history; needs no passphrase. Of two stores it is what they hold together, and
 * one that fails is left out with a warning.
 *
 * @throws StoreError, NO_RAW_SNAPSHOT, UsageError
 */
export async function openHistory(
  location: BackupLocation,
  context: StoreContext,
): Promise<StoredHistory> {
  if (location.kind === "folder") return await folderHistory(location);
  const opened: SnapStore[] = [];
  const close = async () => {
    await Promise.all(opened.map((store) => store.close()));
  };
  try {
    for (const config of location.stores) opened.push(await openRetrying(config));
    const [first, second] = opened;
    if (first !== undefined) checkDistinct(first, second);
    const contents = await listHistory(opened, context);
    const { snapshot } = location;
    const named = snapshot !== "latest";
    const bases = contents.bases.filter(({ name }) => !named || name === snapshot);
    if (bases.length === 0) throw noBase(contents.where, snapshot);
    // What is named is taken as it is.
    const damaged = named ? [] : contents.damaged;
    return { ...contents, bases, damaged, named, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Lists stores that hold copies of one history. Throws the StoreError of the first one where all fail. */
export async function listHistory(
  stores: readonly SnapStore[],
  context: StoreContext,
): Promise<HistoryContents> {
  const { signal, report } = context;
  const all: ListedBase[] = [];
  const sites: LogSite[] = [];
  const failures: StoreError[] = [];
  for (const store of stores) {
    try {
      const { snapshots, streams } = await listStore(store, signal);
      await new SeenSnapshots(context).check(store, newestComplete(snapshots));
      all.push(...snapshots.flatMap((snapshot) => baseOfSnapshot(store, snapshot, signal)));
      all.push(...streams.flatMap((stream) => baseOfStream(store, stream, signal)));
      sites.push({ store, streams });
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      failures.push(error);
    }
  }
  if (sites.length === 0) throw failures[0];
  for (const error of failures) {
    report({ type: "warning", message: `left out: ${error.message}` });
  }
  const streams = logStreams(sites).map(({ name, deltas }) => {
    return { name, deltas, runs: runsOf(deltas, name.firstRevision).runs };
  });
  const where = sites.map(({ store }) => store.name).join(" and ");
  const bases = all.flatMap(({ state, base }) => (state === "complete" ? [base] : []));
  const damaged = all.flatMap(({ state, base }) => (state === "damaged" ? [base] : []));
  return { where, bases, damaged, streams, sites, named: false };
}

interface ListedBase {
  readonly state: StoredSnapshot["state"];
  readonly base: StoredHistoryBase;
}

function baseOfSnapshot(
  store: SnapStore,
  { name, state, facts }: StoredSnapshot,
  signal: AbortSignal,
): ListedBase[] {
  if (facts?.etcdSnapshot === undefined) return [];
  const base = {
    name: name.text,
    revision: facts.etcdSnapshot,
    begunMs: begunAt(facts.startedAt, name.time),
    takenMs: takenAt(facts.finishedAt, name.time),
    files: new SnapshotFiles(store, name.text, signal),
    snapshot: name,
    id: facts.id,
  };
  return [{ state, base }];
}

function baseOfStream(
  store: SnapStore,
  { name, base: stored }: StoredStream,
  signal: AbortSignal,
): ListedBase[] {
  const { state, facts, revision } = stored ?? {};
  if (state === undefined || facts === undefined || revision === undefined) return [];
  const base = {
    name: name.text,
    revision,
    begunMs: begunAt(facts.startedAt, name.time),
    takenMs: takenAt(facts.finishedAt, name.time),
    files: new SnapshotFiles(store, name.text, signal),
    stream: name,
    id: facts.id,
  };
  return [{ state, base }];
}

/** A manifest may hold any text. */
function takenAt(finishedAt: string, seconds: number): number {
  const ms = Date.parse(finishedAt);
  return Number.isNaN(ms) ? seconds * 1000 : ms;
}

async function folderHistory(
  location: Extract<BackupLocation, { kind: "folder" }>,
): Promise<StoredHistory> {
  const { folder } = location;
  const files = new FolderFiles(folder);
  if ((await originalFolder(location)) !== undefined) throw noRawSnapshot(folder);
  const { etcdSnapshot, startedAt, finishedAt, id } = await readManifest(files);
  if (etcdSnapshot === undefined) throw noRawSnapshot(folder);
  const takenMs = takenAt(finishedAt, 0);
  const begunMs = begunAt(startedAt, takenMs / 1000);
  const base = { name: folder, revision: etcdSnapshot, begunMs, takenMs, files, id };
  const close = async () => {};
  const rest = { damaged: [], streams: [], sites: [], named: true, close };
  return { where: folder, bases: [base], ...rest };
}

function noRawSnapshot(where: string): BackupToolError {
  return new BackupToolError("NO_RAW_SNAPSHOT", `${where} holds no raw snapshot of etcd`, {
    hint: "make backups that hold one",
    settings: ["etcd-mode=both"],
  });
}

/** Why the stores have no base, or not the one that was asked for. */
function noBase(where: string, snapshot: string): BackupToolError {
  if (snapshot === "latest") return noRawSnapshot(where);
  if (parseSnapshotName(snapshot) === undefined && parseStreamName(snapshot) === undefined) {
    return new UsageError(`invalid snapshot name ${quoted(snapshot)}`, {
      hint: "list the snapshots to see their names, or use latest",
    });
  }
  return new BackupToolError(
    "NO_RAW_SNAPSHOT",
    `${where} holds no complete ${snapshot} with a raw snapshot of etcd`,
    { hint: "list the snapshots to see their names; latest chooses one that fits" },
  );
}
