import { randomBytes } from "node:crypto";
import { lstat, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { errorMessage, UsageError } from "../../errors.js";
import { quoted } from "../../quoted.js";

/** The path of a result that does not exist yet, and where it is made: beside it, so that a rename completes it. */
export interface NewPath {
  readonly path: string;
  readonly folder: string;
  /** A new name in the same folder. */
  unfinished(): string;
}

/** Throws UsageError when something has the path, or its folder does not exist; `setting` named it. */
export async function newPath(given: string, setting: string): Promise<NewPath> {
  const path = resolve(given);
  const folder = dirname(path);
  if (path === folder) throw new UsageError(`${quoted(given)} is the root folder`);
  if (await exists(path)) {
    throw new UsageError(`${quoted(given)} exists already`, {
      hint: "name a new path: a restore never writes over anything",
      settings: [setting],
    });
  }
  try {
    if (!(await stat(folder)).isDirectory()) throw new Error("it is no folder");
  } catch (cause) {
    throw new UsageError(`cannot use the folder ${quoted(folder)}: ${errorMessage(cause)}`, {
      cause,
      hint: "make the folder first",
      settings: [setting],
    });
  }
  const unfinished = () =>
    join(folder, `.${basename(path)}.unfinished-${randomBytes(8).toString("hex")}`);
  return { path, folder, unfinished };
}

/** Also of a link that leads nowhere. */
async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code !== "ENOENT",
  );
}
