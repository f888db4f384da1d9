import { createHash, randomUUID } from "node:crypto";
import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";

/** The folder of this user's state. */
export interface StateFolder {
  readonly path: string;
  /** Whether the user named it. */
  readonly named: boolean;
}

/** A state file cannot be read, parsed or written. */
export class StateFileError extends Error {}

/** A small file about one store. It is replaced atomically: concurrent runs read all of it or none. */
export class StateFile {
  readonly path: string;
  readonly #folder: string;

  /** @param about the place of a store */
  constructor(folder: string, about: string) {
    const digest = createHash("sha256").update(about).digest("hex");
    this.#folder = folder;
    this.path = join(folder, `store-${digest.slice(0, 32)}.json`);
  }

  /** Undefined when it does not exist. Throws StateFileError. */
  async read(): Promise<string | undefined> {
    try {
      return await readFile(this.path, "utf8");
    } catch (error) {
      if (["ENOENT", "ENOTDIR"].includes(codeOf(error))) return undefined;
      throw failure(this.path, "read", error);
    }
  }

  /** Throws StateFileError. */
  async write(text: string): Promise<void> {
    const temporary = join(this.#folder, `.${randomUUID()}.partial`);
    try {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 });
      const file = await open(temporary, "wx", 0o600);
      try {
        await file.writeFile(text);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, this.path);
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => {});
      throw failure(this.path, "written", error);
    }
  }

  /** Throws StateFileError. */
  async remove(): Promise<void> {
    try {
      await rm(this.path, { force: true });
    } catch (error) {
      throw failure(this.path, "removed", error);
    }
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? "";
}

function failure(path: string, what: string, cause: unknown): StateFileError {
  return new StateFileError(`${path} cannot be ${what}: ${codeOf(cause)}`, { cause });
}
