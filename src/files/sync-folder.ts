import { open } from "node:fs/promises";

/** What file systems answer that cannot sync a folder: CIFS and some FUSE. */
const CANNOT_SYNC = ["EINVAL", "ENOTSUP", "EOPNOTSUPP"];

/** Puts the names in a folder on the disk, where its file system can. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } catch (error) {
    if (!CANNOT_SYNC.includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
  } finally {
    await handle.close();
  }
}
