import { randomBytes } from "node:crypto";
import { type FileHandle, open, unlink } from "node:fs/promises";
import { join } from "node:path";

/** A new file in `folder` that has no name: its space is free again when it is closed, however the process ends. */
export async function unnamedFile(folder: string): Promise<FileHandle> {
  const path = join(folder, `.backuptool-spool-${randomBytes(8).toString("hex")}`);
  const handle = await open(path, "wx+", 0o600);
  try {
    await unlink(path);
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}
