import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { errnoOf } from "./failure.js";

/** Space of the file system of a path, which need not exist: bytes available to this user, and in total. */
export async function spaceAt(path: string): Promise<{ freeBytes: number; totalBytes: number }> {
  for (let at = path; ; at = dirname(at)) {
    try {
      const { bavail, blocks, bsize } = await statfs(at);
      return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
    } catch (error) {
      if (errnoOf(error) !== "ENOENT" || dirname(at) === at) throw error;
    }
  }
}
