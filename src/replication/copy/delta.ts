import { createHash } from "node:crypto";
import { damaged } from "../../archive/errors.js";
import { BackupToolError } from "../../errors.js";
import type { Budget } from "../../flow/budget.js";
import { fileMismatch } from "../../snapshots/file-check.js";
import { deltaHeader, MAX_DELTA_FILE_BYTES } from "../../snapshots/streams/delta-header.js";
import { deltaName } from "../../snapshots/streams/delta-name.js";
import type { ListedDelta } from "../../snapshots/streams/delta-table.js";
import type { StreamName } from "../../snapshots/streams/stream-name.js";
import { StoreError } from "../../snapstore/errors.js";
import { hasContent } from "../../snapstore/object-checks.js";
import { PartWriter } from "../../snapstore/parts/upload.js";
import type { SnapStore } from "../../snapstore/store.js";
import { CopyMismatch } from "./file.js";

export interface DeltaCopyOptions {
  /** Bytes in memory, of all files. */
  readonly memory: Budget;
  /** Minimum bytes of each part but the last. */
  readonly minChunkBytes: number;
  readonly maxParallelChunks: number;
  readonly signal: AbortSignal;
}

/**
 * Copies a delta. It never replaces a file of the target: another content there is a conflict, also where it came while
 * this was under way. No manifest has a digest of a delta, so what is read must have the digest that the source keeps, or
 * be the same a second time. Resolves with whether the target did not have it. Throws SNAPSHOT_CONFLICT, DAMAGED,
 * COPY_MISMATCH, StoreError.
 */
export async function copyDelta(
  source: SnapStore,
  target: SnapStore,
  stream: StreamName,
  delta: ListedDelta,
  options: DeltaCopyOptions,
): Promise<boolean> {
  const { memory, signal } = options;
  const file = deltaName(delta);
  if (delta.bytes > MAX_DELTA_FILE_BYTES) {
    throw damaged(`it has ${delta.bytes} bytes, more than any delta`, { file });
  }
  // The file, and its parts.
  const held = 2 * delta.bytes;
  await memory.take(held, signal);
  try {
    const key = `${stream.text}/${file}`;
    const bytes = await readWhole(source, key, delta.bytes, signal);
    deltaHeader(bytes, stream, delta);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    await checkRead(source, key, bytes, sha256, signal);
    return await create(target, key, bytes, sha256, options);
  } finally {
    memory.giveBack(held);
  }
}

/** The error for a delta of which the target has another one. */
export function deltaConflict(target: SnapStore, key: string, reason: string): BackupToolError {
  return new BackupToolError(
    "SNAPSHOT_CONFLICT",
    `${target.name} holds another delta as ${key}, which is kept: ${reason}`,
    {
      hint: "verify the stream in both stores with the passphrase, and delete it in the wrong one",
    },
  );
}

async function readWhole(
  source: SnapStore,
  key: string,
  size: number,
  signal: AbortSignal,
): Promise<Buffer> {
  const bytes = Buffer.alloc(size);
  let read = 0;
  for await (const piece of source.get(key, { signal })) {
    if (read + piece.length > size) throw new CopyMismatch(source, key, "it is longer than listed");
    bytes.set(piece, read);
    read += piece.length;
  }
  if (read < size) throw new CopyMismatch(source, key, "it is shorter than listed");
  return bytes;
}

async function checkRead(
  source: SnapStore,
  key: string,
  bytes: Buffer,
  sha256: string,
  signal: AbortSignal,
): Promise<void> {
  const kept = (await source.head(key, signal))?.sha256;
  const isRight =
    kept === undefined ? await hasContent(source, key, bytes, signal) : kept === sha256;
  if (!isRight) throw new CopyMismatch(source, key, "what was read is not what was stored");
}

async function create(
  target: SnapStore,
  key: string,
  bytes: Buffer,
  sha256: string,
  { minChunkBytes, maxParallelChunks, signal }: DeltaCopyOptions,
): Promise<boolean> {
  const writer = new PartWriter(target, key, {
    partBytes: minChunkBytes,
    parallel: maxParallelChunks,
    expectedBytes: bytes.length,
    ifAbsent: true,
    signal,
  });
  let isNew = true;
  try {
    await writer.write(bytes);
    await writer.finish({ sha256 });
  } catch (error) {
    await writer.abort();
    if (!(error instanceof StoreError && error.code === "STORE_EXISTS")) throw error;
    isNew = false;
  }
  // One that another process put there, or this one in a call whose answer was lost.
  if (!isNew && !(await hasContent(target, key, bytes, signal))) {
    throw deltaConflict(target, key, "its content differs");
  }
  const facts = { name: key, size: bytes.length, sha256 };
  const reason = fileMismatch(facts, await target.head(key, signal));
  if (reason !== undefined) throw new CopyMismatch(target, key, `after it was copied, ${reason}`);
  return isNew;
}
