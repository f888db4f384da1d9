import { mkdir, open, readdir, rename, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { UsageError } from "../errors.js";
import { syncFolder } from "../files/sync-folder.js";
import type { BackupTarget, SealedOutput } from "./backup-target.js";
import { FileThread } from "../threads/file-thread.js";
import { MANIFEST_NAME } from "./format.js";

/** Makes the folder if it does not exist. @throws UsageError when it is not empty; `setting` named it */
export async function prepareFolder(folder: string, setting: string): Promise<void> {
  let names: string[];
  try {
    await makeFolder(resolve(folder));
    names = await readdir(folder);
  } catch (cause) {
    const { message } = cause as Error;
    throw new UsageError(`cannot use the folder ${folder}: ${message}`, { cause });
  }
  if (names.length > 0) {
    throw new UsageError(`the folder ${folder} is not empty`, {
      hint: "name a new one; a backup is never written over another",
      settings: [setting],
    });
  }
}

/** Without `recursive` of mkdir: where no folder can be made, as in /proc, it never returns in Node 20. */
async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { mode: 0o700 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") return;
    const parent = dirname(folder);
    if (code !== "ENOENT" || (await exists(parent))) throw error;
    await makeFolder(parent);
    await mkdir(folder, { mode: 0o700 });
  }
}

async function exists(folder: string): Promise<boolean> {
  return stat(folder).then(
    () => true,
    () => false,
  );
}

/** A backup that is written into an empty folder. */
export class FolderTarget implements BackupTarget {
  readonly #folder: string;
  readonly #thread = new FileThread();

  constructor(folder: string) {
    this.#folder = folder;
  }

  async open(name: string): Promise<SealedOutput> {
    return await this.#thread.open(join(this.#folder, name));
  }

  async finish(manifest: string): Promise<void> {
    const path = join(this.#folder, MANIFEST_NAME);
    const temporary = join(this.#folder, `.${MANIFEST_NAME}.partial`);
    const file = await open(temporary, "wx", 0o600);
    try {
      await file.writeFile(manifest);
      await file.sync();
    } finally {
      await file.close();
    }
    // The names of all other files must be durable before the manifest is.
    await syncFolder(this.#folder);
    await rename(temporary, path);
    await syncFolder(this.#folder);
  }

  async close(): Promise<void> {
    await this.#thread.close();
  }
}
