import { randomBytes } from "node:crypto";
import { type FileHandle, link, lstat, mkdir, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { syncFolder } from "../../files/sync-folder.js";
import { errnoOf } from "./failure.js";

/** Names of files that are still being written; no key may have such a segment. */
const UNFINISHED = /^\.part-[0-9a-f]{16}$/;

export function isUnfinished(name: string): boolean {
  return UNFINISHED.test(name);
}

/** A file that is written beside its place under another name, and moved there when it is whole. */
export class NewFile {
  /** Open for writing at any position. */
  readonly handle: FileHandle;
  readonly #temporary: string;
  readonly #path: string;

  private constructor(handle: FileHandle, temporary: string, path: string) {
    this.handle = handle;
    this.#temporary = temporary;
    this.#path = path;
  }

  /** Makes the folders above it, too. */
  static async create(path: string): Promise<NewFile> {
    const temporary = join(dirname(path), `.part-${randomBytes(8).toString("hex")}`);
    for (let attempt = 0; ; attempt++) {
      try {
        await makeFolder(dirname(path));
        return new NewFile(await open(temporary, "wx", 0o600), temporary, path);
      } catch (error) {
        // Whoever deletes the last object of a folder removes the folder, perhaps just now.
        if (errnoOf(error) !== "ENOENT" || attempt === 9) throw error;
      }
    }
  }

  /** Makes it appear, on the disk and not in its cache alone. With `ifAbsent` throws EEXIST. */
  async commit(ifAbsent: boolean): Promise<void> {
    await this.handle.sync();
    if (ifAbsent) await linkOrRename(this.#temporary, this.#path);
    else await rename(this.#temporary, this.#path);
    await this.handle.close();
    await syncFolder(dirname(this.#path));
  }

  /** Removes what there is of it. */
  async discard(): Promise<void> {
    await this.handle.close();
    await rm(this.#temporary, { force: true });
  }
}

/** What a file system answers that has no hard links. */
const NO_LINKS = ["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"];

/** link() fails when the name is taken, rename() does not. */
async function linkOrRename(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    if (!NO_LINKS.includes(errnoOf(error))) throw error;
    await refuseExisting(to);
    await rename(from, to);
    return;
  }
  await rm(from, { force: true });
}

/** Throws EEXIST when something stands at `path`. */
export async function refuseExisting(path: string): Promise<void> {
  try {
    await lstat(path);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return;
    throw error;
  }
  throw Object.assign(new Error(`EEXIST: ${path}`), { code: "EEXIST" });
}

/** Not mkdir's own `recursive`: on a read-only file system Node's says that nothing is there. */
async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { mode: 0o700 });
  } catch (error) {
    if (errnoOf(error) === "EEXIST") return;
    if (errnoOf(error) !== "ENOENT" || dirname(folder) === folder) throw error;
    await makeFolder(dirname(folder));
    return await makeFolder(folder);
  }
  // A new name is on the disk once the folder that holds it is.
  await syncFolder(dirname(folder));
}
