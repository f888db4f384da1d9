import { constants } from "node:fs";
import { type FileHandle, lstat, open, realpath } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { StoreError } from "../errors.js";
import { errnoOf } from "./failure.js";

/** For messages. */
interface Where {
  readonly store: string;
  readonly key: string;
}

/**
 * Opens a file for reading. Never waits: opening a pipe would, for ever. Throws STORE_NOT_FOUND for what
 * is not a regular file, a symbolic link among them.
 */
export async function openRegular(path: string, where: Where): Promise<FileHandle> {
  const { O_RDONLY, O_NONBLOCK, O_NOFOLLOW } = constants;
  let file: FileHandle;
  try {
    file = await open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
  } catch (error) {
    // A link, and a socket.
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
 * Whether no folder between `root` and `path` is a symbolic link, so that the file is below the root where
 * its key says. The root itself may be a link. True where the folders do not exist.
 */
export async function isBelowRoot(root: string, path: string): Promise<boolean> {
  const folder = dirname(path);
  try {
    return (await realpath(folder)) === join(await realpath(root), relative(root, folder));
  } catch (error) {
    switch (errnoOf(error)) {
      // The folder, or what a link refers to, does not exist.
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

/** Throws STORE_FAILED where {@link isBelowRoot} is false. */
export async function requireBelowRoot(
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
