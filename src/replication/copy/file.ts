import type { FileThread } from "../../threads/file-thread.js";
import type { FileFacts } from "../../archive/manifest/manifest.js";
import { BackupToolError } from "../../errors.js";
import { partSize } from "../../snapstore/parts/part-size.js";
import type { SnapStore } from "../../snapstore/store.js";
import { PartWriter } from "../../snapstore/parts/upload.js";
import type { Budget } from "../../flow/budget.js";
import { fileMismatch } from "../../snapshots/file-check.js";
import { StreamDigest } from "../../snapshots/stream-digest.js";

export interface CopyTools {
  readonly thread: FileThread;
  /** Bytes of parts in memory, of all files. */
  readonly memory: Budget;
  /** Minimum bytes of each part but the last. */
  readonly minChunkBytes: number;
  readonly maxParallelChunks: number;
  readonly signal: AbortSignal;
}

/** A file of the source, or its copy in the target, differs from the manifest. */
export class CopyMismatch extends BackupToolError {
  constructor(store: SnapStore, key: string, reason: string) {
    super("COPY_MISMATCH", `${store.name}: ${key}: ${reason}`, {
      hint: "verify the snapshot in the source, including its data",
      settings: ["read-data"],
    });
  }
}

export interface FileCopyOptions extends CopyTools {
  /** Overwrite an existing object. */
  readonly replace: boolean;
  onBytes(bytes: number): void;
}

/**
 * Copies a file of a snapshot and compares source and target with the manifest. The object appears in the target only
 * if the bytes match. Throws StoreError, COPY_MISMATCH, InterruptedError.
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
        throw new CopyMismatch(source, key, "it is longer than in the manifest");
      }
      options.onBytes(piece.length);
      await Promise.all([digest.add(piece), writer.write(piece)]);
    }
    const { sha256 } = await digest.finish();
    if (size !== file.size || sha256 !== file.sha256) {
      throw new CopyMismatch(source, key, "its content is not that of the manifest");
    }
    await writer.finish({ sha256 });
  } catch (error) {
    await Promise.all([writer.abort(), digest.abandon()]);
    throw error;
  }
}

/** Memory for the parts of a file, bytes. A small file has fewer parts than can be in flight. */
function memoryOf(target: SnapStore, size: number, tools: CopyTools): number {
  const bytes = partSize(target, { partBytes: tools.minChunkBytes, expectedBytes: size });
  const parallel = target.capabilities.parallelParts ? tools.maxParallelChunks : 1;
  return bytes * Math.min(parallel + 1, Math.max(1, Math.ceil(size / bytes)));
}
