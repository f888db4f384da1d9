import { encodeManifest, type FileFacts, type Manifest } from "../../archive/manifest/manifest.js";
import { BackupToolError } from "../../errors.js";
import { inParallel } from "../../flow/in-parallel.js";
import { StoreError } from "../../snapstore/errors.js";
import type { SnapStore } from "../../snapstore/store.js";
import type { Budget } from "../../flow/budget.js";
import { CopyMismatch, type CopyTools, copyFile } from "./file.js";
import { readSnapshot } from "../../snapshots/catalog.js";
import { checkNoForeign } from "../../snapshots/foreign-files.js";
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
 * Copies a snapshot, files first and the manifest last. Files that match are not copied again. Throws StoreError
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
  const before = await again(() => targetState(target, snapshot, bytes, files, signal));
  const totals = { files: files.length, bytes: files.reduce((sum, { size }) => sum + size, 0) };
  if (before === "same") return { outcome: "present", ...totals, copiedFiles: 0, copiedBytes: 0 };
  if (before === "other" && options.keepOthers) {
    await again(() => checkNotComplete(target, snapshot, signal));
  }
  await again(() => checkNoForeign(target, snapshot, signal));
  if (before === "other") await again(() => checkNotHeld(target, snapshot, signal));
  // The snapshot must not look complete while it is repaired.
  if (before !== "absent") await again(() => removeManifest(target, snapshot, before, signal));
  let copiedFiles = 0;
  let copiedBytes = 0;
  await inParallel(files, options.maxParallelCopies, async (file) => {
    await options.slots.take(1, options.signal);
    try {
      const copied = await again(() => copyUnlessPresent(source, target, snapshot, file, options));
      if (!copied) return;
      copiedFiles++;
      copiedBytes += file.size;
    } finally {
      options.slots.giveBack(1);
    }
  });
  await again(() => checkFilesListed(target, snapshot, files, signal));
  await options.beforeManifest?.();
  await again(() => putManifest(target, snapshot, bytes, signal));
  const outcome = before === "absent" ? "copied" : "repaired";
  return { outcome, ...totals, copiedFiles, copiedBytes };
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

/** Incomplete: the same manifest, but files are missing or differ. */
type TargetState = "absent" | "same" | "incomplete" | "other";

async function targetState(
  target: SnapStore,
  snapshot: string,
  wanted: Buffer,
  files: readonly FileFacts[],
  signal: AbortSignal,
): Promise<TargetState> {
  if ((await target.head(manifestKey(snapshot), signal)) === undefined) return "absent";
  if (!(await hasManifest(target, snapshot, wanted, signal))) return "other";
  const damages = await findMismatches(target, snapshot, files, signal);
  return damages.length === 0 ? "same" : "incomplete";
}

/** Throws SNAPSHOT_CONFLICT for another backup that is complete: it may be the better one. */
async function checkNotComplete(
  target: SnapStore,
  snapshot: string,
  signal: AbortSignal,
): Promise<void> {
  const name = parseSnapshotName(snapshot);
  const existing = name && (await readSnapshot(target, name, signal));
  if (existing?.state === "complete") throw snapshotConflict(target, snapshot);
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

async function removeManifest(
  target: SnapStore,
  snapshot: string,
  before: "incomplete" | "other",
  signal: AbortSignal,
): Promise<void> {
  try {
    await target.delete(manifestKey(snapshot), signal);
  } catch (error) {
    const locked = error instanceof StoreError && error.code === "STORE_IMMUTABLE";
    // The manifest is right, and the missing files are added.
    if (!locked || before === "other") throw error;
  }
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
