import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { BackupToolError } from "../errors.js";
import { ArchiveError, damaged } from "./errors.js";

/**
 * Opens a file of a backup for reading. Throws MISSING_FILE, or DAMAGED when it is not a regular file: reading a folder
 * fails, and opening a pipe would wait forever.
 */
export async function openRegularFile(folder: string, name: string): Promise<FileHandle> {
  let handle: FileHandle;
  try {
    handle = await open(join(folder, name), constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    // A socket cannot be opened at all.
    if (code === "ENXIO") throw damaged("it is not a file", { file: name }, cause);
    if (code !== "ENOENT" && code !== "ENOTDIR") {
      throw new BackupToolError("FOLDER", `${join(folder, name)} cannot be opened: ${code}`, {
        cause,
        hint: "check the permissions of the folder and its files",
      });
    }
    throw new ArchiveError("MISSING_FILE", "it is not there", { file: name, cause });
  }
  const isFile = await handle.stat().then(
    (stat) => stat.isFile(),
    () => false,
  );
  if (isFile) return handle;
  await handle.close();
  throw damaged("it is not a file", { file: name });
}
