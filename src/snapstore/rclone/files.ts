import type { StoredObject } from "../store.js";
import { newUploadId } from "../parts/upload-id.js";
import { type RcloneDaemon, REMOTE } from "./daemon.js";

/** Folder of unfinished uploads, which no key may contain. */
export const UPLOADS = ".backuptool-uploads";

interface Item {
  readonly Path: string;
  readonly Name: string;
  readonly Size: number;
  readonly ModTime: string;
  readonly IsDir: boolean;
}

export interface About {
  readonly key: string;
  readonly signal?: AbortSignal | undefined;
}

/** The files of a remote. */
export class RcloneFiles {
  readonly daemon: RcloneDaemon;
  #canHaveEmptyFolders: boolean | undefined;

  constructor(daemon: RcloneDaemon) {
    this.daemon = daemon;
  }

  async stat(path: string, about: About): Promise<StoredObject | undefined> {
    const parameters = { fs: REMOTE, remote: path, opt: { noMimeType: true } };
    const { item } = await this.daemon.call("operations/stat", parameters, about);
    if (item === null || item === undefined || (item as Item).IsDir) return undefined;
    return objectOf(item as Item);
  }

  /** The entries of a folder; none if it does not exist. */
  async list(folder: string, about: About): Promise<{ object: StoredObject; folder: boolean }[]> {
    const parameters = { fs: REMOTE, remote: folder, opt: { noMimeType: true } };
    try {
      const { list } = await this.daemon.call("operations/list", parameters, about);
      return ((list ?? []) as Item[])
        .filter(({ Name }) => Name !== UPLOADS || folder.startsWith(UPLOADS))
        .map((item) => ({ object: objectOf(item), folder: item.IsDir }));
    } catch (error) {
      if (isNotFound(error)) return [];
      throw error;
    }
  }

  /** Folders for an upload of `key`, whose content is the file `object` in `folder`. */
  newUploadFolder(key: string): { root: string; folder: string } {
    const root = `${UPLOADS}/${newUploadId()}`;
    return { root, folder: [root, ...key.split("/").slice(0, -1)].join("/") };
  }

  async move(from: string, to: string, about: About): Promise<void> {
    await this.daemon.call(
      "operations/movefile",
      {
        srcFs: REMOTE,
        srcRemote: from,
        dstFs: REMOTE,
        dstRemote: to,
        // Otherwise a file of the same size and time is not overwritten.
        _config: { IgnoreTimes: true },
      },
      about,
    );
  }

  async remove(path: string, about: About): Promise<void> {
    try {
      await this.daemon.call("operations/deletefile", { fs: REMOTE, remote: path }, about);
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    // Empty folders would make listings slower.
    if (!(await this.#hasEmptyFolders(about))) return;
    for (let at = parentOf(path); at !== ""; at = parentOf(at)) {
      const parameters = { fs: REMOTE, remote: at };
      const removed = this.daemon.call("operations/rmdir", parameters, about);
      if (!(await removed.then(() => true).catch(() => false))) return;
    }
  }

  /** Removes the folders of an upload whose file has been moved to its key. */
  async removeEmptyUpload(root: string, about: About): Promise<void> {
    if (await this.#hasEmptyFolders(about)) await this.purge(root, about);
  }

  /** Removes the folders of an upload with their content. */
  async purge(root: string, about: About): Promise<void> {
    try {
      await this.daemon.call("operations/purge", { fs: REMOTE, remote: root }, about);
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  async #hasEmptyFolders(about: About): Promise<boolean> {
    if (this.#canHaveEmptyFolders === undefined) {
      const { Features } = await this.daemon.call("operations/fsinfo", { fs: REMOTE }, about);
      const features = Features as { CanHaveEmptyDirectories?: boolean } | undefined;
      this.#canHaveEmptyFolders = features?.CanHaveEmptyDirectories ?? true;
    }
    return this.#canHaveEmptyFolders;
  }
}

function isNotFound(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "STORE_NOT_FOUND";
}

function parentOf(path: string): string {
  return path.split("/").slice(0, -1).join("/");
}

function objectOf({ Path: key, Size: size, ModTime }: Item): StoredObject {
  return { key, size, modified: new Date(ModTime), tag: `${ModTime}-${size}` };
}
