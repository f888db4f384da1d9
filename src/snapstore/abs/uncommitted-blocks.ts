import { isAbortable } from "../key.js";
import type { StaleOptions } from "../store.js";
import { uploadStarted } from "../parts/upload-id.js";
import { type AbsContainer, DISCARDED, plainTag } from "./container.js";
import { isAbsError } from "./failure.js";

/** The id of a block. Azure requires the same length for all blocks of a blob. */
export function blockId(upload: string, number: number): string {
  return Buffer.from(`${upload}-${String(number).padStart(5, "0")}`).toString("base64");
}

function uploadOfBlock(id: string): string {
  return Buffer.from(id, "base64").toString("latin1").replace(/-\d+$/, "");
}

/**
 * Removes blobs that consist of uncommitted blocks of uploads from before `olderThan`, and blobs that were
 * {@link DISCARDED} before it. Returns how many.
 */
export async function removeStaleBlocks(
  container: AbsContainer,
  prefix: string,
  olderThan: Date,
  options: StaleOptions,
): Promise<number> {
  const { signal } = options;
  let removed = 0;
  let continuationToken: string | undefined;
  do {
    const page = await container.call(prefix, signal, async ({ abortSignal }) => {
      const wanted = { includeUncommitedBlobs: true, includeMetadata: true, abortSignal };
      const below = { ...wanted, prefix: container.nameOf(prefix) };
      const pages = container.client.listBlobsFlat(below).byPage({
        maxPageSize: 1000,
        ...(continuationToken !== undefined && { continuationToken }),
      });
      return (await pages.next()).value;
    });
    for (const { name, properties, metadata } of page?.segment.blobItems ?? []) {
      const key = container.keyOf(name);
      if (properties.contentLength || !isAbortable(key, options)) continue;
      const stale = (upload: string) => (uploadStarted(upload) ?? olderThan) < olderThan;
      if (metadata?.[DISCARDED] === undefined) {
        if (await discardBlocks(container, key, stale, signal)) removed++;
      } else if (properties.lastModified < olderThan) {
        if (await removeDiscarded(container, key, properties.etag, stale, signal)) removed++;
      }
    }
    continuationToken = page?.continuationToken || undefined;
  } while (continuationToken !== undefined);
  return removed;
}

/**
 * Discards the uncommitted blocks of a key, if all of them are of removable uploads and the blob does not exist.
 * Otherwise Azure discards them after a week.
 */
export async function discardBlocks(
  container: AbsContainer,
  key: string,
  isRemovable: (upload: string) => boolean,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const blob = container.at(key);
  try {
    const uploads = await uploadsOf(container, key, signal);
    if (uploads.length === 0 || !uploads.every(isRemovable)) return false;
    const { etag } = await container.attempt(signal, ({ abortSignal }) =>
      blob.commitBlockList([], {
        conditions: { ifNoneMatch: "*" },
        metadata: { [DISCARDED]: "1" },
        abortSignal,
      }),
    );
    await container.attempt(signal, ({ abortSignal }) =>
      blob.delete({ abortSignal, ...(etag !== undefined && { conditions: { ifMatch: etag } }) }),
    );
    return true;
  } catch (error) {
    if (isAbsError(error, "BlobNotFound", "BlobAlreadyExists", "ConditionNotMet")) return false;
    throw container.failure(error, key, signal);
  }
}

/** Removes the blob of an interrupted {@link discardBlocks}, unless a new upload has blocks there. */
async function removeDiscarded(
  container: AbsContainer,
  key: string,
  etag: string,
  isRemovable: (upload: string) => boolean,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  try {
    const uploads = await uploadsOf(container, key, signal);
    if (!uploads.every(isRemovable)) return false;
    const conditions = { ifMatch: `"${plainTag(etag)}"` };
    await container.attempt(signal, ({ abortSignal }) =>
      container.at(key).delete({ abortSignal, conditions }),
    );
    return true;
  } catch (error) {
    if (isAbsError(error, "BlobNotFound", "ConditionNotMet")) return false;
    throw container.failure(error, key, signal);
  }
}

/** The uploads of the uncommitted blocks. Throws errors of the SDK. */
async function uploadsOf(
  container: AbsContainer,
  key: string,
  signal: AbortSignal | undefined,
): Promise<string[]> {
  const { uncommittedBlocks = [] } = await container.attempt(signal, ({ abortSignal }) =>
    container.at(key).getBlockList("uncommitted", { abortSignal }),
  );
  return uncommittedBlocks.map(({ name }) => uploadOfBlock(name));
}
