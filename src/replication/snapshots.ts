import { ArchiveError } from "../archive/errors.js";
import type { BackupKind, Manifest } from "../archive/manifest.js";
import { BackupToolError, UsageError } from "../errors.js";
import { inParallel } from "../in-parallel.js";
import { quoted } from "../quoted.js";
import type { SnapStore } from "../snapstore/store.js";
import { kindMismatch, timeMismatch } from "./own-name.js";
import { withManifest } from "./snapshot-manifest.js";
import { compareSnapshotNames, parseSnapshotName, type SnapshotName } from "./snapshot-name.js";
import { missingOrMisfit, objectsBelow } from "./stored-files.js";

/** A snapshot as a store has it. Small, whatever the size of the backup. */
export interface StoredSnapshot {
  readonly name: SnapshotName;
  /** Complete: the manifest and every file of it, in its size. Unfinished: no manifest. */
  readonly state: "complete" | "unfinished" | "damaged";
  /** What is wrong with a damaged one; what of a complete one should be looked at. */
  readonly problem?: string;
  /** Of the manifest, when it can be read. */
  readonly facts?: SnapshotFacts;
  /** Files there, and their bytes, of an unfinished one. */
  readonly left?: LeftOver;
}

export interface SnapshotFacts {
  readonly id: string;
  readonly kind: BackupKind;
  /** Id of the backup that an incremental stands on. */
  readonly base: string | null;
  /** RFC 3339. */
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly files: number;
  readonly bytes: number;
}

export interface LeftOver {
  readonly files: number;
  readonly bytes: number;
  /** Of the file written last. */
  readonly modified: Date | undefined;
}

/** Snapshots looked at at the same time; each holds its manifest meanwhile, unless that is a large one. */
const WINDOW = 8;

/** All snapshots right below the store's prefix, oldest first. Other folders are left alone. */
export async function listSnapshots(
  store: SnapStore,
  signal: AbortSignal,
): Promise<StoredSnapshot[]> {
  const found: StoredSnapshot[] = [];
  await inParallel(snapshotNames(store, signal), WINDOW, async (name) => {
    const snapshot = await readSnapshot(store, name, signal);
    if (snapshot !== undefined) found.push(snapshot);
  });
  return found.sort((a, b) => compareSnapshotNames(a.name, b.name));
}

/** Undefined when nothing of it is there. */
export async function readSnapshot(
  store: SnapStore,
  name: SnapshotName,
  signal: AbortSignal,
): Promise<StoredSnapshot | undefined> {
  try {
    const finished = await withManifest(store, name.text, signal, (manifest) =>
      judgeFinished(store, name, manifest, signal),
    );
    if (finished !== undefined) return finished;
  } catch (error) {
    if (error instanceof ArchiveError) return { name, state: "damaged", problem: error.message };
    throw error;
  }
  const left = await leftOver(store, name.text, signal);
  return left.files === 0 ? undefined : { name, state: "unfinished", left };
}

async function judgeFinished(
  store: SnapStore,
  name: SnapshotName,
  manifest: Manifest,
  signal: AbortSignal,
): Promise<StoredSnapshot> {
  const { files, id, kind, base, startedAt, finishedAt } = manifest;
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  const facts = { id, kind, base, startedAt, finishedAt, files: files.length, bytes };
  const mismatch = kindMismatch(name, facts);
  if (mismatch !== undefined) return { name, state: "damaged", facts, problem: mismatch };
  const [first, ...more] = await missingOrMisfit(store, name.text, files, signal);
  if (first === undefined) {
    // Who puts a backup into a store by hand may name it otherwise, and wants it listed and copied.
    const doubt = timeMismatch(name, facts);
    return { name, state: "complete", facts, ...(doubt === undefined ? {} : { problem: doubt }) };
  }
  const others = more.length === 0 ? "" : ` (and ${more.length} more)`;
  return { name, state: "damaged", facts, problem: `${first.file}: ${first.reason}${others}` };
}

/**
 * The snapshot that a user means by a name, or by `latest`: the newest complete one.
 *
 * @throws UsageError for what is no name, NO_SNAPSHOT
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
    throw new UsageError(`${quoted(given)} is no name of a snapshot`, {
      hint: "see backuptool snapshot list; latest is the newest complete one",
    });
  }
  const found = await readSnapshot(store, name, signal);
  if (found === undefined) throw noSnapshot(`${store.name} holds no snapshot ${name.text}`);
  return found;
}

/** Looks at the newest first, and no further than needed. */
async function latestSnapshot(
  store: SnapStore,
  signal: AbortSignal,
): Promise<StoredSnapshot | undefined> {
  const names: SnapshotName[] = [];
  for await (const name of snapshotNames(store, signal)) names.push(name);
  for (const name of names.sort(compareSnapshotNames).reverse()) {
    const snapshot = await readSnapshot(store, name, signal);
    if (snapshot?.state === "complete") return snapshot;
  }
  return undefined;
}

function noSnapshot(message: string): BackupToolError {
  return new BackupToolError("NO_SNAPSHOT", message, { hint: "see backuptool snapshot list" });
}

/** Names of all snapshots right below the prefix, in no order. */
export async function* snapshotNames(
  store: SnapStore,
  signal: AbortSignal,
): AsyncGenerator<SnapshotName, void, void> {
  let cursor: string | undefined;
  do {
    const page = await store.list("", { shallow: true, cursor, signal });
    for (const folder of page.folders) {
      const name = parseSnapshotName(folder.replace(/\/$/, ""));
      if (name !== undefined) yield name;
    }
    cursor = page.next;
  } while (cursor !== undefined);
}

async function leftOver(
  store: SnapStore,
  snapshot: string,
  signal: AbortSignal,
): Promise<LeftOver> {
  let files = 0;
  let bytes = 0;
  let modified: Date | undefined;
  for await (const object of objectsBelow(store, `${snapshot}/`, signal)) {
    files++;
    bytes += object.size;
    if (modified === undefined || object.modified > modified) modified = object.modified;
  }
  return { files, bytes, modified };
}
