import { ArchiveError } from "../archive/errors.js";
import type { BackupKind, Manifest } from "../archive/manifest/manifest.js";
import { BackupToolError, UsageError } from "../errors.js";
import { inParallel } from "../flow/in-parallel.js";
import { quoted } from "../quoted.js";
import { StoreError } from "../snapstore/errors.js";
import type { SnapStore } from "../snapstore/store.js";
import { foreignFileProblem, ownObjects } from "./foreign-files.js";
import { kindMismatch, timeMismatch } from "./name-check.js";
import { withManifest } from "./manifest.js";
import { compareSnapshotNames, parseSnapshotName, type SnapshotName } from "./name.js";
import { findMismatches } from "./file-check.js";
import { parseStreamName, type StreamName } from "./streams/stream-name.js";

/** A snapshot in a store. Its size in memory does not depend on the backup. */
export interface StoredSnapshot {
  readonly name: SnapshotName;
  /** Complete: the manifest and all of its files exist, with the right sizes. Unfinished: no manifest. */
  readonly state: "complete" | "unfinished" | "damaged";
  /** Why the snapshot is damaged, or a warning about another one. */
  readonly problem?: string;
  /** Key of another program's file in the folder. If set, the snapshot must not be deleted. */
  readonly foreign?: string;
  /** From the manifest, if it is readable. */
  readonly facts?: SnapshotFacts;
  /** Only of an unfinished snapshot. */
  readonly left?: LeftOver;
}

export interface SnapshotFacts {
  readonly id: string;
  readonly kind: BackupKind;
  /** Id of the base of an incremental. */
  readonly base: string | null;
  /** RFC 3339. */
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly files: number;
  readonly bytes: number;
  /** Revision of the raw snapshot of etcd that it holds, by the manifest; absent without one. */
  readonly etcdSnapshot?: number;
  /** SHA-256 of the manifest, hex. It names the digests of all files, so equal digests mean equal snapshots. */
  readonly digest: string;
}

export interface LeftOver {
  readonly files: number;
  readonly bytes: number;
  /** Time of the last write. */
  readonly modified: Date | undefined;
}

/** Snapshots read concurrently, each with its manifest, unless that is large. */
const WINDOW = 8;

/**
 * All snapshots directly below the store's prefix, oldest first. Folders without files of this program are ignored,
 * whatever their names.
 */
export async function listSnapshots(
  store: SnapStore,
  signal: AbortSignal,
): Promise<StoredSnapshot[]> {
  return await readSnapshots(store, await namesIn(store, signal), signal);
}

/** The snapshots with these names, oldest first. */
export async function readSnapshots(
  store: SnapStore,
  { names, objects }: Pick<NamesInStore, "names" | "objects">,
  signal: AbortSignal,
): Promise<StoredSnapshot[]> {
  const found: StoredSnapshot[] = [];
  await inParallel(names, WINDOW, async (name) => {
    const snapshot = await readSnapshot(store, name, signal, objects.has(name.text));
    if (snapshot !== undefined) found.push(snapshot);
  });
  return found.sort((a, b) => compareSnapshotNames(a.name, b.name));
}

/**
 * Undefined if the snapshot has no files. `isObject` is whether an object has the name of the snapshot: it belongs to
 * another program.
 */
export async function readSnapshot(
  store: SnapStore,
  name: SnapshotName,
  signal: AbortSignal,
  isObject = false,
): Promise<StoredSnapshot | undefined> {
  const foreign: string[] = isObject ? [name.text] : [];
  const onForeign = (key: string): void => {
    if (foreign.length === 0) foreign.push(key);
  };
  const found = await readOwnFiles(store, name, signal, onForeign);
  const [key] = foreign;
  if (found === undefined || key === undefined) return found;
  const problem = foreignFileProblem(key);
  const { problem: other } = found;
  return { ...found, foreign: key, problem: other ? `${other}; ${problem}` : problem };
}

async function readOwnFiles(
  store: SnapStore,
  name: SnapshotName,
  signal: AbortSignal,
  onForeign: (key: string) => void,
): Promise<StoredSnapshot | undefined> {
  try {
    const finished = await withManifest(store, name.text, signal, (manifest, digest) =>
      checkFinished(store, name, manifest, { digest, signal, onForeign }),
    );
    if (finished !== undefined) return finished;
  } catch (error) {
    if (!(error instanceof ArchiveError)) throw error;
    await leftOver(store, name.text, signal, onForeign);
    return { name, state: "damaged", problem: error.message };
  }
  const left = await leftOver(store, name.text, signal, onForeign);
  return left.files === 0 ? undefined : { name, state: "unfinished", left };
}

async function checkFinished(
  store: SnapStore,
  name: SnapshotName,
  manifest: Manifest,
  options: {
    readonly digest: string;
    readonly signal: AbortSignal;
    readonly onForeign: (key: string) => void;
  },
): Promise<StoredSnapshot> {
  const { digest, signal, onForeign } = options;
  const { files, id, kind, base, startedAt, finishedAt, etcdSnapshot } = manifest;
  const facts = {
    ...{ id, kind, base, startedAt, finishedAt, digest },
    ...(etcdSnapshot !== undefined && { etcdSnapshot }),
    files: files.length,
    bytes: files.reduce((sum, { size }) => sum + size, 0),
  };
  const [first, ...more] = await findMismatches(store, name.text, files, signal, onForeign);
  const mismatch = kindMismatch(name, facts);
  if (mismatch !== undefined) return { name, state: "damaged", facts, problem: mismatch };
  if (first === undefined) {
    // Only a warning: users can copy a backup into a store under a name of their own.
    const problem = timeMismatch(name, facts);
    return { name, state: "complete", facts, ...(problem !== undefined && { problem }) };
  }
  const others = more.length === 0 ? "" : ` (and ${more.length} more)`;
  return { name, state: "damaged", facts, problem: `${first.file}: ${first.reason}${others}` };
}

/**
 * Finds a snapshot by name, or the newest complete one for `latest`.
 *
 * @throws UsageError for an invalid name, NO_SNAPSHOT
 */
export async function findSnapshot(
  store: SnapStore,
  given: string,
  signal: AbortSignal,
): Promise<StoredSnapshot> {
  if (given === "latest") {
    const latest = await latestSnapshot(store, signal);
    if (latest !== undefined) return latest;
    throw noSnapshot(`${store.name} holds no complete snapshot`);
  }
  const name = parseSnapshotName(given);
  if (name === undefined) {
    throw new UsageError(`invalid snapshot name ${quoted(given)}`, {
      hint: "list the snapshots to see their names, or use latest for the newest complete one",
    });
  }
  const isObject = (await store.head(name.text, signal)) !== undefined;
  const found = await readSnapshot(store, name, signal, isObject);
  if (found === undefined) throw noSnapshot(`${store.name} holds no snapshot ${name.text}`);
  return found;
}

/** Reads snapshots from the newest on, until one is complete. */
async function latestSnapshot(
  store: SnapStore,
  signal: AbortSignal,
): Promise<StoredSnapshot | undefined> {
  const { names, objects } = await namesIn(store, signal);
  for (const name of names.sort(compareSnapshotNames).reverse()) {
    const snapshot = await readSnapshot(store, name, signal, objects.has(name.text));
    if (snapshot?.state === "complete") return snapshot;
  }
  return undefined;
}

function noSnapshot(message: string): BackupToolError {
  return new BackupToolError("NO_SNAPSHOT", message, {
    hint: "list the snapshots to see their names",
  });
}

/** Name of the newest snapshot, complete or not, that has a file of this program. */
export async function newestName(
  store: SnapStore,
  signal: AbortSignal,
): Promise<SnapshotName | undefined> {
  const names = await snapshotNames(store, signal);
  for (const name of names.sort(compareSnapshotNames).reverse()) {
    for await (const _ of ownObjects(store, name.text, signal)) return name;
  }
  return undefined;
}

/** All folders directly below the prefix that have a snapshot name, in no order. */
export async function snapshotNames(
  store: SnapStore,
  signal: AbortSignal,
): Promise<SnapshotName[]> {
  return (await namesIn(store, signal)).names;
}

/** What is directly below the prefix of a store. */
export interface NamesInStore {
  readonly names: SnapshotName[];
  readonly streams: StreamName[];
  /** Objects with a name of either kind: they belong to another program. */
  readonly objects: ReadonlySet<string>;
}

/**
 * As {@link snapshotNames}, and the folders with the name of a stream, and the objects directly below the prefix that
 * have either name. Throws STORE_FAILED for more than `limit` of them.
 */
export async function namesIn(
  store: SnapStore,
  signal: AbortSignal,
  limit = Number.POSITIVE_INFINITY,
): Promise<NamesInStore> {
  const names: SnapshotName[] = [];
  const streams: StreamName[] = [];
  const objects = new Set<string>();
  let cursor: string | undefined;
  do {
    const page = await store.list("", { shallow: true, cursor, signal });
    for (const { key } of page.objects) {
      if ((parseSnapshotName(key) ?? parseStreamName(key)) !== undefined) objects.add(key);
    }
    for (const folder of page.folders) {
      const text = folder.replace(/\/$/, "");
      const name = parseSnapshotName(text);
      const stream = parseStreamName(text);
      if (name !== undefined) names.push(name);
      if (stream !== undefined) streams.push(stream);
    }
    checkCount(store, names.length + streams.length + objects.size, limit);
    cursor = page.next;
  } while (cursor !== undefined);
  return { names, streams, objects };
}

/** Throws STORE_FAILED for more than `limit` snapshots. */
export function checkCount(store: SnapStore, count: number, limit: number): void {
  if (count <= limit) return;
  const message = `it lists more than ${limit} snapshots`;
  throw new StoreError("STORE_FAILED", message, { store: store.name });
}

async function leftOver(
  store: SnapStore,
  snapshot: string,
  signal: AbortSignal,
  onForeign: (key: string) => void,
): Promise<LeftOver> {
  let files = 0;
  let bytes = 0;
  let modified: Date | undefined;
  for await (const object of ownObjects(store, snapshot, signal, onForeign)) {
    files++;
    bytes += object.size;
    if (modified === undefined || object.modified > modified) modified = object.modified;
  }
  return { files, bytes, modified };
}
