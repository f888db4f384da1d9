import { randomBytes } from "node:crypto";
import { lstat, readdir, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { errorMessage, UsageError } from "../../errors.js";
import { quoted } from "../../quoted.js";

/** The path of a result that does not exist yet, and where it is made: beside it, so that a rename completes it. */
export interface NewPath {
  readonly path: string;
  /** Where it is made. The path itself, where that is an empty folder. */
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
  return madeIn(path, folder);
}

/**
 * As {@link newPath} of a folder, which may exist where it is empty: a package has made it, or a disk is mounted there, which
 * no rename replaces.
 */
export async function newFolderPath(given: string, setting: string): Promise<NewPath> {
  const path = resolve(given);
  const names = await readdir(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return undefined;
    throw new UsageError(`cannot read the folder ${quoted(given)}: ${errorMessage(error)}`, {
      cause: error,
      settings: [setting],
    });
  });
  const isEmpty = names?.every((name) => {
    return name === "lost+found" || name.startsWith(unfinishedStart(path));
  });
  return isEmpty ? madeIn(path, path) : await newPath(given, setting);
}

/** How the names of unfinished results begin. */
export function unfinishedStart(path: string): string {
  return `.${basename(path)}.unfinished-`;
}

function madeIn(path: string, folder: string): NewPath {
  const unfinished = () => join(folder, unfinishedStart(path) + randomBytes(8).toString("hex"));
  return { path, folder, unfinished };
}

/** Also of a link that leads nowhere. */
async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code !== "ENOENT",
  );
}
