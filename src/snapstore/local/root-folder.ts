import type { BigIntStats } from "node:fs";
import { opendir, stat } from "node:fs/promises";
import { StoreError } from "../errors.js";
import { errnoOf } from "./failure.js";

/** The folders that this process has found, by path: device and inode. All stores of the process share it. */
const found = new Map<string, string>();

/**
 * Throws STORE_FAILED where the folder of a store is a file, or was there before and is gone: a store that seems empty
 * would be filled again, in the wrong place, and its second copy may follow it. The folder of a file system that is not
 * mounted any more is there, but is another one, and empty. A folder that has not been there yet may be missing.
 */
export async function checkRoot(root: string, store: string): Promise<void> {
  const stats = await statFolder(root, store);
  const before = found.get(root);
  if (stats === undefined) {
    if (before === undefined) return;
    throw failure(store, "the folder was there before, and is gone");
  }
  if (!stats.isDirectory()) throw failure(store, "is not a folder");
  const now = `${stats.dev}-${stats.ino}`;
  if (now === before) return;
  if (before !== undefined && (await isEmpty(root))) {
    throw failure(
      store,
      "the folder that was there before is gone, and an empty one is in its place",
    );
  }
  found.set(root, now);
}

async function statFolder(root: string, store: string): Promise<BigIntStats | undefined> {
  try {
    return await stat(root, { bigint: true });
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    if (errnoOf(error) === "ENOTDIR") throw failure(store, "a folder above it is a file", error);
    throw error;
  }
}

async function isEmpty(root: string): Promise<boolean> {
  for await (const _ of await opendir(root)) return false;
  return true;
}

function failure(store: string, message: string, cause?: unknown): StoreError {
  return new StoreError("STORE_FAILED", message, {
    store,
    cause,
    hint: "is its file system mounted? If the new state is meant, start again",
  });
}
