import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { errnoOf } from "./failure.js";

/** Room in the file system that a path is in, or would be: bytes that this user may take, and all. */
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
