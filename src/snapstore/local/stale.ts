import { lstat, rm } from "node:fs/promises";
import { join } from "node:path";
import { throwIfAborted } from "../../errors.js";
import { isAbortable, isBelow } from "../key.js";
import type { StaleOptions } from "../store.js";
import { errnoOf } from "./failure.js";
import { namesIn } from "./listing.js";
import { isUnfinished } from "./new-file.js";

/** Removes unfinished files that were last written before `olderThan`. Returns their number. */
export async function removeStale(
  root: string,
  prefix: string,
  olderThan: Date,
  options: StaleOptions,
): Promise<number> {
  if (isBelow(prefix, options.keep)) return 0;
  let removed = 0;
  for await (const found of namesIn(join(root, prefix))) {
    throwIfAborted(options.signal);
    const key = prefix + found.name;
    const path = join(root, key);
    if (found.isDirectory()) {
      removed += await removeStale(root, `${key}/`, olderThan, options);
    } else if (
      isUnfinished(found.name) &&
      isAbortable(key, options) &&
      (await isOlder(path, olderThan))
    ) {
      await rm(path, { force: true });
      removed++;
    }
  }
  return removed;
}

/** Does not follow links. */
async function isOlder(path: string, olderThan: Date): Promise<boolean> {
  try {
    return (await lstat(path)).mtime < olderThan;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    throw error;
  }
}
