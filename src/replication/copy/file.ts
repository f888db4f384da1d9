import type { FileThread } from "../../threads/file-thread.js";
import type { FileFacts } from "../../archive/manifest/manifest.js";
import { BackupToolError } from "../../errors.js";
import { partSize } from "../../snapstore/parts/part-size.js";
import type { SnapStore } from "../../snapstore/store.js";
import { PartWriter } from "../../snapstore/parts/upload.js";
import type { Budget } from "../../flow/budget.js";
import { fileMismatch } from "../../snapshots/file-check.js";
import { StreamDigest } from "../../snapshots/stream-digest.js";

/** How files are sent. */
export interface CopyTools {
  readonly thread: FileThread;
  /** Bytes of parts in memory, of all files together. */
  readonly memory: Budget;
  /** Bytes of each part but the last, unless the store or the file's size asks for more. */
  readonly minChunkBytes: number;
  readonly maxParallelChunks: number;
  readonly signal: AbortSignal;
}

/** A file of the source, or its copy in the target, differs from the manifest. */
export class CopyMismatch extends BackupToolError {
  constructor(store: SnapStore, key: string, reason: string) {
    super("COPY_MISMATCH", `${store.name}: ${key}: ${reason}`, {
      hint: "verify the snapshot in the source, with its data",
      settings: ["read-data"],
    });
  }
}

export interface FileCopyOptions extends CopyTools {
  /** Another object of that name is to be overwritten. */
  readonly replace: boolean;
  onBytes(bytes: number): void;
}

/**
 * Copies one file of a snapshot and compares both ends with the manifest. Nothing appears in the target unless the
 * bytes are right. Throws StoreError, COPY_MISMATCH, InterruptedError.
 */
export async function copyFile(
  source: SnapStore,
  target: SnapStore,
  key: string,
  file: FileFacts,
  options: FileCopyOptions,
): Promise<void> {
  const { signal, memory } = options;
  const held = memoryOf(target, file.size, options);
  await memory.take(held, signal);
  try {
    await sendFile(source, target, key, file, options);
  } finally {
    memory.giveBack(held);
  }
  const reason = fileMismatch(file, await target.head(key, signal));
  if (reason !== undefined) throw new CopyMismatch(target, key, `after it was copied, ${reason}`);
}

async function sendFile(
  source: SnapStore,
  target: SnapStore,
  key: string,
  file: FileFacts,
  options: FileCopyOptions,
): Promise<void> {
  const { signal } = options;
  const writer = new PartWriter(target, key, {
    partBytes: options.minChunkBytes,
    parallel: options.maxParallelChunks,
    expectedBytes: file.size,
    ifAbsent: !options.replace,
    signal,
  });
  const digest = await StreamDigest.start(options.thread);
  try {
    let size = 0;
    for await (const piece of source.get(key, { signal })) {
      size += piece.length;
      if (size > file.size) {
        throw new CopyMismatch(source, key, "it is longer than its manifest says");
      }
      options.onBytes(piece.length);
      await Promise.all([digest.add(piece), writer.write(piece)]);
    }
    const { sha256 } = await digest.finish();
    if (size !== file.size || sha256 !== file.sha256) {
      throw new CopyMismatch(source, key, "its bytes are not those of its manifest");
    }
    await writer.finish({ sha256 });
  } catch (error) {
    await Promise.all([writer.abort(), digest.abandon()]);
    throw error;
  }
}

/** Bytes that the parts of one file may take: a small one has fewer than may be on their way. */
function memoryOf(target: SnapStore, size: number, tools: CopyTools): number {
  const bytes = partSize(target, { partBytes: tools.minChunkBytes, expectedBytes: size });
  const parallel = target.capabilities.parallelParts ? tools.maxParallelChunks : 1;
  return bytes * Math.min(parallel + 1, Math.max(1, Math.ceil(size / bytes)));
}
