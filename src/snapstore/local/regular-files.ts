import { constants } from "node:fs";
import { type FileHandle, lstat, open, realpath } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { StoreError } from "../errors.js";
import { errnoOf } from "./failure.js";

interface Where {
  readonly store: string;
  readonly key: string;
}

/**
 * Opens a file for reading. Throws STORE_NOT_FOUND unless it is a regular file; O_NONBLOCK is for pipes, whose open
 * would block.
 */
export async function openRegular(path: string, where: Where): Promise<FileHandle> {
  const { O_RDONLY, O_NONBLOCK, O_NOFOLLOW } = constants;
  let file: FileHandle;
  try {
    file = await open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
  } catch (error) {
    // A symbolic link or a socket.
    if (["ELOOP", "ENXIO"].includes(errnoOf(error))) throw notRegular(where, error);
    throw error;
  }
  try {
    if ((await file.stat()).isFile()) return file;
    throw notRegular(where);
  } catch (error) {
    await file.close();
    throw error;
  }
}

function notRegular({ store, key }: Where, cause?: unknown): StoreError {
  return new StoreError("STORE_NOT_FOUND", `${key}: is not a regular file`, { store, cause });
}

/**
 * Whether no folder between `root` and `path` is a symbolic link. The root itself may be one. True if the folders do
 * not exist.
 */
export async function isBelowRoot(root: string, path: string): Promise<boolean> {
  const folder = dirname(path);
  try {
    return (await realpath(folder)) === join(await realpath(root), relative(root, folder));
  } catch (error) {
    switch (errnoOf(error)) {
      // The folder, or the target of a link, does not exist.
      case "ENOENT":
      case "ENOTDIR":
        if (folder.length <= root.length) return true;
        return !(await isLink(folder)) && (await isBelowRoot(root, folder));
      case "ELOOP":
        return false;
      default:
        throw error;
    }
  }
}

async function isLink(path: string): Promise<boolean> {
  return lstat(path).then(
    (stats) => stats.isSymbolicLink(),
    () => false,
  );
}

/** Throws STORE_FAILED if {@link isBelowRoot} is false. */
export async function checkBelowRoot(
  root: string,
  path: string,
  { store, key }: Where,
): Promise<void> {
  if (await isBelowRoot(root, path)) return;
  throw new StoreError("STORE_FAILED", `${key}: a folder above it is a symbolic link`, {
    store,
    hint: "links below the folder of a store are not followed: replace the link by a folder",
  });
}
