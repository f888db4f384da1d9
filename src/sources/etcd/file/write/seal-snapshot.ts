import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { eachBlock } from "../blocks.js";
import type { EtcdDatabase } from "../database.js";
import { encodeMetas } from "../meta.js";
import { fileAccess } from "../random-access.js";
import type { SnapshotDigest } from "../snapshot-digest.js";
import { writeFully } from "./page-appender.js";

export interface SealOptions {
  /** Page of the bucket of all buckets. */
  readonly root: number;
  /** Pages of the base that the new file has as they are; undefined where it has none. */
  readonly keptPages: number | undefined;
  /** Whether the file is that of the base, so that it has them already. */
  readonly isBase: boolean;
  /** Pages of the new file. */
  readonly pageCount: number;
  readonly signal: AbortSignal;
  readonly onProgress: (bytes: number) => void;
}

/**
 * Completes a file in which the new pages are written: its first pages, those of the base, and the SHA-256 at its end.
 * They come last, because the first pages name the root, and the root is written last.
 */
export async function sealSnapshot(
  handle: FileHandle,
  base: EtcdDatabase,
  { root, keptPages = 2, isBase, pageCount, signal, onProgress }: SealOptions,
): Promise<SnapshotDigest> {
  const { pageSize } = base.pages;
  const metas = encodeMetas({ pageSize, root, pageCount, transaction: base.transaction + 1 });
  const hash = createHash("sha256").update(metas);
  const kept = { start: metas.length, end: keptPages * pageSize };
  const end = pageCount * pageSize;
  // What a base has after its last page.
  if (isBase) await handle.truncate(end);
  await writeFully(handle, metas, 0);
  await eachBlock(base.file, kept, base.where, signal, async (block, position) => {
    const writing = isBase ? undefined : writeFully(handle, block, position);
    hash.update(block);
    await writing;
    onProgress(block.length);
  });
  const written = { start: kept.end, end };
  await eachBlock(await fileAccess(handle), written, base.where, signal, (block) => {
    hash.update(block);
  });
  const digest = hash.copy().digest();
  await writeFully(handle, digest, written.end);
  onProgress(metas.length + digest.length);
  return { bytes: written.end + digest.length, sha256: hash.update(digest).digest("hex") };
}
