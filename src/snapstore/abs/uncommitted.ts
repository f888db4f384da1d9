import { isBelow } from "../key.js";
import type { StaleOptions } from "../store.js";
import { uploadBegun } from "../upload-id.js";
import { type AbsBlobs, DISCARDED } from "./blobs.js";
import { isAbsRefusal } from "./failure.js";

/** The id of a block: of one length for all blocks of a blob, as Azure wants it. */
export function blockId(upload: string, number: number): string {
  return Buffer.from(`${upload}-${String(number).padStart(5, "0")}`).toString("base64");
}

function uploadOfBlock(id: string): string {
  return Buffer.from(id, "base64").toString("latin1").replace(/-\d+$/, "");
}

/** Removes blobs that are uncommitted blocks alone, all of uploads begun before `olderThan`. */
export async function removeStaleBlocks(
  blobs: AbsBlobs,
  prefix: string,
  olderThan: Date,
  { spare, signal }: StaleOptions,
): Promise<number> {
  let removed = 0;
  let continuationToken: string | undefined;
  do {
    const page = await blobs.call(prefix, signal, async ({ abortSignal }) => {
      const wanted = { prefix: blobs.nameOf(prefix), includeUncommitedBlobs: true, abortSignal };
      const pages = blobs.container.listBlobsFlat(wanted).byPage({
        maxPageSize: 1000,
        ...(continuationToken !== undefined && { continuationToken }),
      });
      return (await pages.next()).value;
    });
    for (const { name, properties } of page?.segment.blobItems ?? []) {
      if (properties.contentLength || isBelow(blobs.keyOf(name), spare)) continue;
      const stale = (upload: string) => (uploadBegun(upload) ?? olderThan) < olderThan;
      if (await discardBlocks(blobs, blobs.keyOf(name), stale, signal)) removed++;
    }
    continuationToken = page?.continuationToken || undefined;
  } while (continuationToken !== undefined);
  return removed;
}

/**
 * Has Azure forget the uncommitted blocks of a key, if all of them are of uploads that may go and
 * no blob stands there; else they go by themselves after a week.
 */
export async function discardBlocks(
  blobs: AbsBlobs,
  key: string,
  mayGo: (upload: string) => boolean,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const blob = blobs.at(key);
  try {
    const { uncommittedBlocks = [] } = await blobs.attempt(signal, ({ abortSignal }) =>
      blob.getBlockList("uncommitted", { abortSignal }),
    );
    if (uncommittedBlocks.length === 0) return false;
    if (!uncommittedBlocks.every(({ name }) => mayGo(uploadOfBlock(name)))) return false;
    const { etag } = await blobs.attempt(signal, ({ abortSignal }) =>
      blob.commitBlockList([], {
        conditions: { ifNoneMatch: "*" },
        metadata: { [DISCARDED]: "1" },
        abortSignal,
      }),
    );
    await blobs.attempt(signal, ({ abortSignal }) =>
      blob.delete({ abortSignal, ...(etag !== undefined && { conditions: { ifMatch: etag } }) }),
    );
    return true;
  } catch (error) {
    if (isAbsRefusal(error, "BlobNotFound", "BlobAlreadyExists", "ConditionNotMet")) return false;
    throw blobs.failure(error, key, signal);
  }
}
