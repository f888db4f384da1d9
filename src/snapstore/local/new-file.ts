import { randomBytes } from "node:crypto";
import { type FileHandle, link, lstat, mkdir, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { syncFolder } from "../../files/sync-folder.js";
import { errnoOf } from "./failure.js";

/** Names of unfinished files, which no key may contain. */
const UNFINISHED = /^\.part-[0-9a-f]{16}$/;

export function isUnfinished(name: string): boolean {
  return UNFINISHED.test(name);
}

/** A file that is written under a temporary name in its folder, and renamed when it is complete. */
export class NewFile {
  readonly handle: FileHandle;
  readonly #temporary: string;
  readonly #path: string;

  private constructor(handle: FileHandle, temporary: string, path: string) {
    this.handle = handle;
    this.#temporary = temporary;
    this.#path = path;
  }

  /** Creates the parent folders too. */
  static async create(path: string): Promise<NewFile> {
    const temporary = join(dirname(path), `.part-${randomBytes(8).toString("hex")}`);
    for (let attempt = 0; ; attempt++) {
      try {
        await makeFolder(dirname(path));
        return new NewFile(await open(temporary, "wx", 0o600), temporary, path);
      } catch (error) {
        // A concurrent deletion of the last object in the folder removes the folder.
        if (errnoOf(error) !== "ENOENT" || attempt === 9) throw error;
      }
    }
  }

  /** Makes the file appear, synced to disk. With `ifAbsent` throws EEXIST. */
  async commit(ifAbsent: boolean): Promise<void> {
    await this.handle.sync();
    if (ifAbsent) await linkOrRename(this.#temporary, this.#path);
    else await rename(this.#temporary, this.#path);
    await this.handle.close();
    await syncFolder(dirname(this.#path));
  }

  async discard(): Promise<void> {
    await this.handle.close();
    await rm(this.#temporary, { force: true });
  }
}

/** Errors of a file system without hard links. */
const NO_LINKS = ["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"];

/** link() fails if the name exists, rename() does not. */
async function linkOrRename(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    if (!NO_LINKS.includes(errnoOf(error))) throw error;
    await rejectExisting(to);
    await rename(from, to);
    return;
  }
  await rm(from, { force: true });
}

/** Throws EEXIST if `path` exists. */
export async function rejectExisting(path: string): Promise<void> {
  try {
    await lstat(path);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return;
    throw error;
  }
  throw Object.assign(new Error(`EEXIST: ${path}`), { code: "EEXIST" });
}

/** Unlike `recursive` of Node's mkdir, it reports a read-only file system as such, not as ENOENT. */
async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { mode: 0o700 });
  } catch (error) {
    if (errnoOf(error) === "EEXIST") return;
    if (errnoOf(error) !== "ENOENT" || dirname(folder) === folder) throw error;
    await makeFolder(dirname(folder));
    return await makeFolder(folder);
  }
  // A new name is on disk once its folder is synced.
  await syncFolder(dirname(folder));
}
