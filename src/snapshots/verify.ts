import type { FileThread } from "../threads/file-thread.js";
import { MANIFEST_NAME } from "../archive/format.js";
import type { FileFacts, Manifest } from "../archive/manifest/manifest.js";
import { inParallel } from "../flow/in-parallel.js";
import { StoreError } from "../snapstore/errors.js";
import type { SnapStore } from "../snapstore/store.js";
import { type ReadSelection, selectFiles } from "./read-selection.js";
import { kindMismatch } from "./name-check.js";
import { unfinishedSnapshot, withManifest } from "./manifest.js";
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
 * Compares a snapshot with its manifest: the sizes of all files, and the digests of the selected ones. Throws
 * UNFINISHED_BACKUP and as `decodeManifest`.
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
    const reason = await contentMismatch(store, snapshot, file, {
      ...options,
      onBytes: (bytes) => {
        bytesRead += bytes;
        options.onProgress(bytesRead, total);
      },
    });
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
