import { rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { throwIfAborted } from "../../errors.js";
import { errnoOf } from "./failure.js";
import { namesIn } from "./listing.js";
import { isUnfinished } from "./new-file.js";

/**
 * Removes unfinished files below a folder that were last written before `olderThan`.
 * Returns how many there were.
 */
export async function removeStale(
  folder: string,
  olderThan: Date,
  signal: AbortSignal | undefined,
): Promise<number> {
  let removed = 0;
  for await (const found of namesIn(folder)) {
    throwIfAborted(signal);
    const path = join(folder, found.name);
    if (found.isDirectory()) {
      removed += await removeStale(path, olderThan, signal);
    } else if (isUnfinished(found.name) && (await olderAt(path, olderThan))) {
      await rm(path, { force: true });
      removed++;
    }
  }
  return removed;
}

async function olderAt(path: string, olderThan: Date): Promise<boolean> {
  try {
    return (await stat(path)).mtime < olderThan;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    throw error;
  }
}
