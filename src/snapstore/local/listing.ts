import type { Dirent } from "node:fs";
import { opendir } from "node:fs/promises";
import { join } from "node:path";
import { compareKeys } from "../key.js";
import { errnoOf } from "./failure.js";
import { isUnfinished } from "./new-file.js";

/** A file or folder; the key of a folder ends with `/`. */
export interface Entry {
  readonly key: string;
  readonly folder: boolean;
}

/** Names of one folder that are held in memory. */
const BATCH = 5000;

/**
 * The keys below `prefix` after `after`, in the order of their UTF-8 bytes, as in object stores. Holds a batch of names
 * for each level of folders, whatever their number.
 */
export async function* walk(
  root: string,
  prefix: string,
  options: { after: string; shallow: boolean },
): AsyncGenerator<Entry, void, void> {
  const { after, shallow } = options;
  for await (const entry of entriesOf(root, prefix, after)) {
    if (!entry.folder) yield entry;
    else if (!shallow) yield* walk(root, entry.key, options);
    else if (entry.key !== after && (await hasObjects(root, entry.key))) yield entry;
  }
}

/** The sorted entries of one folder, without those that cannot contain keys after `after`. */
async function* entriesOf(root: string, prefix: string, after: string): AsyncGenerator<Entry> {
  let seen = "";
  for (;;) {
    const { entries, more } = await batchOf(root, prefix, after, seen);
    yield* entries;
    const last = entries.at(-1);
    if (!more || last === undefined) return;
    seen = last.key;
  }
}

async function batchOf(
  root: string,
  prefix: string,
  after: string,
  seen: string,
): Promise<{ entries: Entry[]; more: boolean }> {
  let entries: Entry[] = [];
  let more = false;
  const shorten = () => {
    entries.sort((a, b) => compareKeys(a.key, b.key));
    if (entries.length <= BATCH) return;
    entries = entries.slice(0, BATCH);
    more = true;
  };
  for await (const found of namesIn(join(root, prefix))) {
    const folder = found.isDirectory();
    if (!folder && !(found.isFile() && !isUnfinished(found.name))) continue;
    const key = prefix + found.name + (folder ? "/" : "");
    if (compareKeys(key, seen) <= 0) continue;
    if (compareKeys(key, after) <= 0 && !(folder && after.startsWith(key))) continue;
    entries.push({ key, folder });
    if (entries.length >= 2 * BATCH) shorten();
  }
  shorten();
  return { entries, more };
}

/** Empty if the folder does not exist. */
export async function* namesIn(folder: string): AsyncGenerator<Dirent> {
  try {
    yield* await opendir(folder);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT" && errnoOf(error) !== "ENOTDIR") throw error;
  }
}

/** Object stores do not list folders without objects. */
async function hasObjects(root: string, prefix: string): Promise<boolean> {
  for await (const found of namesIn(join(root, prefix))) {
    if (found.isFile() && !isUnfinished(found.name)) return true;
    if (found.isDirectory() && (await hasObjects(root, `${prefix}${found.name}/`))) return true;
  }
  return false;
}
