import { readdir } from "node:fs/promises";
import { FolderFiles, readStart, withFile } from "../backup-files.js";
import { ArchiveError } from "../errors.js";
import { archiveName, MANIFEST_NAME, MAX_ARCHIVE_FILES, METADATA_NAME } from "../format.js";
import { FRAME_MAGIC } from "./format.js";

/** Whether `folder` holds an archive of the original tool; false when it does not exist. */
export async function isOriginal(folder: string): Promise<boolean> {
  const names = await readdir(folder).catch((): string[] => []);
  if (names.includes(MANIFEST_NAME)) return false;
  for (const name of [METADATA_NAME, archiveName(0)]) {
    if (names.includes(name) && (await beginsWithFrame(folder, name))) return true;
  }
  return false;
}

async function beginsWithFrame(folder: string, name: string): Promise<boolean> {
  const start = await withFile(new FolderFiles(folder), name, (file) => readStart(file, 4));
  return start.length === 4 && start.readUInt32BE() === FRAME_MAGIC;
}

/** Names of the ARCHIVE files. Throws MISSING_FILE when one before the last is missing. */
export async function listArchives(folder: string): Promise<string[]> {
  const names = new Set(await readdir(folder));
  const archives: string[] = [];
  while (archives.length < MAX_ARCHIVE_FILES && names.has(archiveName(archives.length))) {
    archives.push(archiveName(archives.length));
  }
  const known = new Set(archives);
  const beyond = [...names].filter((name) => /^ARCHIVE\d{5,}\.bin$/.test(name) && !known.has(name));
  if (beyond.length > 0) {
    throw new ArchiveError("MISSING_FILE", `it is not there, but ${beyond.sort()[0]} is`, {
      file: archiveName(archives.length),
    });
  }
  return archives;
}
