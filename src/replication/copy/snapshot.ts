import { encodeManifest, type FileFacts, type Manifest } from "../../archive/manifest/manifest.js";
import { inParallel } from "../../flow/in-parallel.js";
import { StoreError } from "../../snapstore/errors.js";
import type { SnapStore } from "../../snapstore/store.js";
import type { Budget } from "../../flow/budget.js";
import { CopyMismatch, type CopyTools, copyFile } from "./file.js";
import { requireNoForeign } from "../../snapshots/foreign-files.js";
import { requireFilesListed } from "../../snapshots/listing-check.js";
import { type RetrySettings, repeatWrongStep } from "./retries.js";
import {
  hasManifest,
  type HeldManifest,
  holdManifest,
  manifestKey,
} from "../../snapshots/manifest.js";
import { fileMismatch, findMismatches } from "../../snapshots/file-check.js";
import { unfinishedSnapshot } from "../../snapshots/unfinished.js";
import { wrongContent } from "../../snapshots/verify.js";

export interface CopyOptions extends CopyTools {
  readonly retries: RetrySettings;
  /** Files in flight, of all snapshots together; `slots` counts them. */
  readonly maxParallelCopies: number;
  readonly slots: Budget;
  /** Bytes that are in the target, or in flight; negative when a file starts again. */
  onBytes(bytes: number): void;
}

export interface CopyResult {
  /** Repaired: the target had another backup under the name, or only some of its files. */
  readonly outcome: "copied" | "repaired" | "present";
  readonly files: number;
  readonly bytes: number;
  readonly copiedFiles: number;
  readonly copiedBytes: number;
}

/**
 * Makes the target's snapshot what the source's is: files first, the manifest last. What is there and
 * right stays. Throws StoreError (STORE_IMMUTABLE where the target may not be put right),
 * FOREIGN_FILE where another program has a file in the target's folder, COPY_MISMATCH, DAMAGED, UNFINISHED_BACKUP.
 */
export async function copySnapshot(
  source: SnapStore,
  target: SnapStore,
  snapshot: string,
  options: CopyOptions,
): Promise<CopyResult> {
  const { signal } = options;
  const held = await repeatWrongStep(options.retries, signal, () =>
    readTwice(source, snapshot, signal),
  );
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
  const again = <T>(step: () => Promise<T>) => repeatWrongStep(retries, signal, step);
  const { files } = manifest;
  const bytes = bytesOf(manifest);
  const before = await again(() => state(target, snapshot, bytes, files, signal));
  const totals = { files: files.length, bytes: files.reduce((sum, { size }) => sum + size, 0) };
  if (before === "same") return { outcome: "present", ...totals, copiedFiles: 0, copiedBytes: 0 };
  await again(() => requireNoForeign(target, snapshot, signal));
  // Until it is repaired it must not look complete.
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
  await again(() => requireFilesListed(target, snapshot, files, signal));
  await again(() => putManifest(target, snapshot, bytes, signal));
  const outcome = before === "absent" ? "copied" : "repaired";
  return { outcome, ...totals, copiedFiles, copiedBytes };
}

/** A manifest has one form alone, so these are the bytes that were read. */
function bytesOf(manifest: Manifest): Buffer {
  return Buffer.from(encodeManifest(manifest));
}

/** No digest covers the manifest itself, so two reads must agree. */
async function readTwice(
  store: SnapStore,
  snapshot: string,
  signal: AbortSignal,
): Promise<HeldManifest | undefined> {
  const held = await holdManifest(store, snapshot, signal);
  try {
    if (held !== undefined) await mustHold(store, snapshot, bytesOf(held.manifest), signal);
    return held;
  } catch (error) {
    held?.release();
    throw error;
  }
}

async function mustHold(
  store: SnapStore,
  snapshot: string,
  bytes: Buffer,
  signal: AbortSignal,
): Promise<void> {
  if (await hasManifest(store, snapshot, bytes, signal)) return;
  throw new CopyMismatch(store, manifestKey(snapshot), "it is not what it should be");
}

/** How the target's snapshot compares with the source's. */
type TargetState = "absent" | "same" | "lacking" | "other";

async function state(
  target: SnapStore,
  snapshot: string,
  wanted: Buffer,
  files: readonly FileFacts[],
  signal: AbortSignal,
): Promise<TargetState> {
  if ((await target.head(manifestKey(snapshot), signal)) === undefined) return "absent";
  if (!(await hasManifest(target, snapshot, wanted, signal))) return "other";
  const damages = await findMismatches(target, snapshot, files, signal);
  return damages.length === 0 ? "same" : "lacking";
}

async function removeManifest(
  target: SnapStore,
  snapshot: string,
  before: "lacking" | "other",
  signal: AbortSignal,
): Promise<void> {
  try {
    await target.delete(manifestKey(snapshot), signal);
  } catch (error) {
    const locked = error instanceof StoreError && error.code === "STORE_IMMUTABLE";
    // The right manifest may stay: the files that it lacks are brought to it.
    if (!locked || before === "other") throw error;
  }
}

/** Copies a file unless it is there, whole. True when it was copied. */
async function copyUnlessPresent(
  source: SnapStore,
  target: SnapStore,
  snapshot: string,
  file: FileFacts,
  options: CopyOptions,
): Promise<boolean> {
  const { signal } = options;
  const key = `${snapshot}/${file.name}`;
  const there = await target.head(key, signal);
  if (there !== undefined && fileMismatch(file, there) === undefined) {
    // Where the store keeps no digest, the file must be read.
    const known = there.sha256 !== undefined;
    const reading = { thread: options.thread, signal };
    if (known || (await wrongContent(target, snapshot, file, reading)) === undefined) {
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
    const replace = there !== undefined;
    await copyFile(source, target, key, file, { ...options, replace, onBytes });
  } catch (error) {
    options.onBytes(-read);
    throw error;
  }
  return true;
}

/** Overwrites none: if another copy was faster, its manifest must be the same. */
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
  await mustHold(target, snapshot, bytes, signal);
}
