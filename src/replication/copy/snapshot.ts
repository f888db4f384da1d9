import { encodeManifest, type FileFacts, type Manifest } from "../../archive/manifest/manifest.js";
import { BackupToolError } from "../../errors.js";
import { inParallel } from "../../flow/in-parallel.js";
import { StoreError } from "../../snapstore/errors.js";
import type { SnapStore } from "../../snapstore/store.js";
import type { Budget } from "../../flow/budget.js";
import { CopyMismatch, type CopyTools, copyFile } from "./file.js";
import { readSnapshot } from "../../snapshots/catalog.js";
import { checkNoForeign } from "../../snapshots/foreign-files.js";
import { pinSnapshot } from "../../snapshots/control/pins.js";
import { checkNotHeld } from "../../snapshots/holds.js";
import { checkFilesListed } from "../../snapshots/listing-check.js";
import { type RetrySettings, retryStep } from "./retries.js";
import {
  hasManifest,
  type HeldManifest,
  holdManifest,
  manifestKey,
  unfinishedSnapshot,
} from "../../snapshots/manifest.js";
import { parseSnapshotName } from "../../snapshots/name.js";
import { fileMismatch, findMismatches } from "../../snapshots/file-check.js";
import { contentMismatch } from "../../snapshots/verify.js";

export interface CopyOptions extends CopyTools {
  readonly retries: RetrySettings;
  readonly maxParallelCopies: number;
  /** Fail with SNAPSHOT_CONFLICT in place of replacing another complete backup of the same name. */
  readonly keepOthers?: boolean | undefined;
  /** Called before the manifest makes the copy complete; throws to prevent that. */
  beforeManifest?(): Promise<void>;
  /** Limits the files in flight of all snapshots. */
  readonly slots: Budget;
  /** Bytes in the target or in flight; negative when a file starts again. */
  onBytes(bytes: number): void;
}

export interface CopyResult {
  /** Repaired: the target had another backup under the name, or only some of the files. */
  readonly outcome: "copied" | "repaired" | "present";
  readonly files: number;
  readonly bytes: number;
  readonly copiedFiles: number;
  readonly copiedBytes: number;
}

/**
 * Copies a snapshot, files first and the manifest last. Files that match are not copied again. A manifest that is right
 * stays while files are repaired: an interrupted repair must not look like a dead process's left-overs. Throws StoreError
 * (STORE_IMMUTABLE for a locked file that must be replaced), FOREIGN_FILE if another program has a file in the target's
 * folder, SNAPSHOT_HELD if it would replace another backup that is held, SNAPSHOT_CONFLICT, COPY_MISMATCH, DAMAGED,
 * UNFINISHED_BACKUP.
 */
export async function copySnapshot(
  source: SnapStore,
  target: SnapStore,
  snapshot: string,
  options: CopyOptions,
): Promise<CopyResult> {
  const { signal } = options;
  const held = await retryStep(options.retries, signal, () => readTwice(source, snapshot, signal));
  if (held === undefined) throw unfinishedSnapshot(source, snapshot);
  try {
    return await copyFiles(source, target, snapshot, held.manifest, options);
  } finally {
    held.release();
  }
}

async function copyFiles(
  source: SnapStore,
  target: SnapStore,
  snapshot: string,
  manifest: Manifest,
  options: CopyOptions,
): Promise<CopyResult> {
  const { signal, retries } = options;
  const again = <T>(step: () => Promise<T>) => retryStep(retries, signal, step);
  const { files } = manifest;
  const bytes = bytesOf(manifest);
  const { state, damaged } = await again(() => targetState(target, snapshot, bytes, files, signal));
  const totals = { files: files.length, bytes: files.reduce((sum, { size }) => sum + size, 0) };
  if (state === "same") return { outcome: "present", ...totals, copiedFiles: 0, copiedBytes: 0 };
  if (state === "other" && options.keepOthers) {
    await again(() => checkNotComplete(target, snapshot, signal));
  }
  const left = await again(() => checkNoForeign(target, snapshot, signal));
  if (state === "other") {
    await again(() => checkNotHeld(target, snapshot, signal));
    await eachFile(files, options, (file) => checkReadable(source, snapshot, file, options));
  }
  // An unfinished snapshot with old files looks like what a dead process has left.
  const isOld = state === "other" || (state === "absent" && left > 0);
  const pin = isOld ? await again(() => pinSnapshot(target, snapshot, signal)) : undefined;
  let copiedFiles = 0;
  let copiedBytes = 0;
  try {
    // Another backup must not look complete while it is replaced.
    if (state === "other") await again(() => target.delete(manifestKey(snapshot), signal));
    const copy = async (file: FileFacts): Promise<void> => {
      if (!(await copyUnlessPresent(source, target, snapshot, file, options))) return;
      copiedFiles++;
      copiedBytes += file.size;
    };
    // With its manifest, the snapshot is damaged until the last file that is missing is there: the others come before.
    const isDamaged = ({ name }: FileFacts): boolean => damaged.has(name);
    const others = files.filter((file) => !isDamaged(file));
    await eachFile(others, options, copy);
    await eachFile(files.filter(isDamaged), options, copy);
    await again(() => checkFilesListed(target, snapshot, files, signal));
    await options.beforeManifest?.();
    pin?.check();
    await again(() => putManifest(target, snapshot, bytes, signal));
  } finally {
    await pin?.release();
  }
  const outcome = state === "absent" ? "copied" : "repaired";
  return { outcome, ...totals, copiedFiles, copiedBytes };
}

async function eachFile(
  files: readonly FileFacts[],
  { maxParallelCopies, slots, signal, retries }: CopyOptions,
  work: (file: FileFacts) => Promise<void>,
): Promise<void> {
  await inParallel(files, maxParallelCopies, async (file) => {
    await slots.take(1, signal);
    try {
      await retryStep(retries, signal, () => work(file));
    } finally {
      slots.giveBack(1);
    }
  });
}

/** Throws COPY_MISMATCH: what the target has may be the better one. */
async function checkReadable(
  source: SnapStore,
  snapshot: string,
  file: FileFacts,
  { thread, signal }: CopyOptions,
): Promise<void> {
  const reason = await contentMismatch(source, snapshot, file, { thread, signal });
  if (reason !== undefined) throw new CopyMismatch(source, `${snapshot}/${file.name}`, reason);
}

/** The encoding is canonical, so these are the bytes that were read. */
function bytesOf(manifest: Manifest): Buffer {
  return Buffer.from(encodeManifest(manifest));
}

/** No digest covers the manifest, so two reads must agree. */
async function readTwice(
  store: SnapStore,
  snapshot: string,
  signal: AbortSignal,
): Promise<HeldManifest | undefined> {
  const held = await holdManifest(store, snapshot, signal);
  try {
    if (held !== undefined) await checkManifest(store, snapshot, bytesOf(held.manifest), signal);
    return held;
  } catch (error) {
    held?.release();
    throw error;
  }
}

async function checkManifest(
  store: SnapStore,
  snapshot: string,
  bytes: Buffer,
  signal: AbortSignal,
): Promise<void> {
  if (await hasManifest(store, snapshot, bytes, signal)) return;
  throw new CopyMismatch(store, manifestKey(snapshot), "its content has changed");
}

interface TargetState {
  /** Incomplete: the same manifest, but files are missing or differ. */
  readonly state: "absent" | "same" | "incomplete" | "other";
  /** Names of the files that are missing or differ. */
  readonly damaged: ReadonlySet<string>;
}

async function targetState(
  target: SnapStore,
  snapshot: string,
  wanted: Buffer,
  files: readonly FileFacts[],
  signal: AbortSignal,
): Promise<TargetState> {
  const damaged = new Set<string>();
  const manifest = await target.head(manifestKey(snapshot), signal);
  if (manifest === undefined) return { state: "absent", damaged };
  if (!(await hasManifest(target, snapshot, wanted, signal))) return { state: "other", damaged };
  for (const { file } of await findMismatches(target, snapshot, files, signal)) damaged.add(file);
  return { state: damaged.size === 0 ? "same" : "incomplete", damaged };
}

/** Throws SNAPSHOT_CONFLICT for another backup that is complete: it may be the better one. */
async function checkNotComplete(
  target: SnapStore,
  snapshot: string,
  signal: AbortSignal,
): Promise<void> {
  const name = parseSnapshotName(snapshot);
  // The base of a stream is what its deltas follow: it is never replaced.
  const existing = name === undefined ? undefined : await readSnapshot(target, name, signal);
  if (name === undefined || existing?.state === "complete") {
    throw snapshotConflict(target, snapshot);
  }
}

/** The error for a snapshot of which the target has another backup. */
export function snapshotConflict(target: SnapStore, snapshot: string): BackupToolError {
  return new BackupToolError(
    "SNAPSHOT_CONFLICT",
    `${target.name} holds another backup as ${snapshot}, which is kept`,
    {
      hint: "verify both with their data; to take over the source's, delete the other one or copy it by hand",
    },
  );
}

/** Copies a file unless the target has it. Returns whether it was copied. */
async function copyUnlessPresent(
  source: SnapStore,
  target: SnapStore,
  snapshot: string,
  file: FileFacts,
  options: CopyOptions,
): Promise<boolean> {
  const { signal } = options;
  const key = `${snapshot}/${file.name}`;
  const existing = await target.head(key, signal);
  if (existing !== undefined && fileMismatch(file, existing) === undefined) {
    // If the store keeps no digest, the file must be read.
    const verified = existing.sha256 !== undefined;
    const reading = { thread: options.thread, signal };
    if (verified || (await contentMismatch(target, snapshot, file, reading)) === undefined) {
      options.onBytes(file.size);
      return false;
    }
  }
  let read = 0;
  const onBytes = (bytes: number): void => {
    read += bytes;
    options.onBytes(bytes);
  };
  try {
    const replace = existing !== undefined;
    await copyFile(source, target, key, file, { ...options, replace, onBytes });
  } catch (error) {
    options.onBytes(-read);
    throw error;
  }
  return true;
}

/** Does not overwrite: a manifest of a concurrent copy must be the same. */
async function putManifest(
  target: SnapStore,
  snapshot: string,
  bytes: Buffer,
  signal: AbortSignal,
): Promise<void> {
  try {
    await target.put(manifestKey(snapshot), bytes, { ifAbsent: true, signal });
  } catch (error) {
    if (!(error instanceof StoreError && error.code === "STORE_EXISTS")) throw error;
  }
  await checkManifest(target, snapshot, bytes, signal);
}
