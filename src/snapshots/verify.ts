import type { FileThread } from "../threads/file-thread.js";
import { MANIFEST_NAME } from "../archive/format.js";
import type { FileFacts, Manifest } from "../archive/manifest/manifest.js";
import { inParallel } from "../flow/in-parallel.js";
import { StoreError } from "../snapstore/errors.js";
import type { SnapStore } from "../snapstore/store.js";
import { type ReadSelection, selectFiles } from "./read-selection.js";
import { kindMismatch } from "./name-check.js";
import { manifestKey, unfinishedSnapshot, withManifest } from "./manifest.js";
import { parseSnapshotName } from "./name.js";
import { type FileDamage, findMismatches } from "./file-check.js";
import { streamDigest } from "./stream-digest.js";

export interface VerifyOptions {
  readonly selection: ReadSelection;
  readonly thread: FileThread;
  readonly signal: AbortSignal;
  /** Bytes read so far, and in total. */
  onProgress(done: number, total: number): void;
  onDamage(damage: FileDamage): void;
}

export interface VerifyResult {
  readonly files: number;
  readonly bytes: number;
  readonly filesRead: number;
  readonly bytesRead: number;
  readonly damaged: number;
}

/** Files read concurrently. */
const WINDOW = 8;

/**
 * Compares a snapshot with its manifest: the sizes of all files, and the digests of the selected ones. A file that
 * cannot be read is damaged while its manifest can be read. Throws UNFINISHED_BACKUP, StoreError and as
 * `decodeManifest`.
 */
export async function verifySnapshot(
  store: SnapStore,
  snapshot: string,
  options: VerifyOptions,
): Promise<VerifyResult> {
  const verified = await withManifest(store, snapshot, options.signal, (manifest) =>
    verifyFiles(store, snapshot, manifest, options),
  );
  if (verified === undefined) throw unfinishedSnapshot(store, snapshot);
  return verified;
}

async function verifyFiles(
  store: SnapStore,
  snapshot: string,
  manifest: Manifest,
  options: VerifyOptions,
): Promise<VerifyResult> {
  const { signal, onDamage } = options;
  const { files } = manifest;
  const damages = await findMismatches(store, snapshot, files, signal);
  const name = parseSnapshotName(snapshot);
  const reason = name && kindMismatch(name, manifest);
  if (reason !== undefined) damages.push({ file: MANIFEST_NAME, reason });
  damages.forEach(onDamage);
  const broken = new Set(damages.map(({ file }) => file));
  const chosen = selectFiles(files, options.selection).filter(({ name }) => !broken.has(name));
  const total = sumOf(chosen);
  let bytesRead = 0;
  let damaged = damages.length;
  await inParallel(chosen, WINDOW, async (file) => {
    const onBytes = (bytes: number): void => {
      bytesRead += bytes;
      options.onProgress(bytesRead, total);
    };
    const reason = await readMismatch(store, snapshot, file, { ...options, onBytes });
    if (reason === undefined) return;
    damaged++;
    onDamage({ file: file.name, reason });
  });
  return {
    files: files.length,
    bytes: sumOf(files),
    filesRead: chosen.length,
    bytesRead,
    damaged,
  };
}

/** As {@link contentMismatch}, also for an object that always answers with an error. */
async function readMismatch(
  store: SnapStore,
  snapshot: string,
  file: FileFacts,
  options: Parameters<typeof contentMismatch>[3],
): Promise<string | undefined> {
  try {
    return await contentMismatch(store, snapshot, file, options);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    if (!(await answersRead(store, snapshot, options.signal))) throw error;
    return `it cannot be read: ${error.reason}`;
  }
}

/** Whether a store can be read, by the start of a manifest: one that has been deleted is an answer too. */
export async function answersRead(
  store: SnapStore,
  snapshot: string,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    for await (const _ of store.get(manifestKey(snapshot), { length: 1, signal }));
    return true;
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    return error.code === "STORE_NOT_FOUND";
  }
}

/** Why the content of a file is not that of the manifest; undefined if it is. */
export async function contentMismatch(
  store: SnapStore,
  snapshot: string,
  file: FileFacts,
  options: {
    readonly thread: FileThread;
    readonly signal: AbortSignal;
    readonly onBytes?: ((bytes: number) => void) | undefined;
  },
): Promise<string | undefined> {
  const { signal, thread, onBytes } = options;
  try {
    const pieces = store.get(`${snapshot}/${file.name}`, { signal });
    const { size, sha256 } = await streamDigest(pieces, thread, onBytes);
    if (size !== file.size) return `it has ${size} bytes, not the ${file.size} of the manifest`;
    return sha256 === file.sha256 ? undefined : "its SHA-256 is not that of the manifest";
  } catch (error) {
    // Deleted since the listing.
    if (error instanceof StoreError && error.code === "STORE_NOT_FOUND") return "it is not there";
    throw error;
  }
}

function sumOf(files: readonly FileFacts[]): number {
  return files.reduce((sum, { size }) => sum + size, 0);
}
