import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { env } from "./program/backuptool.js";

/**
 * A new folder, which goes when the test file has ended: an etcd allocates 128 MiB for its log, and all folders of a whole
 * run have filled a disk of 60 GB.
 */
export function newFolder(): string {
  const folder = mkdtempSync(join(env("BACKUPTOOL_TEST_FOLDER"), "t-"));
  if (folders.length === 0) process.once("exit", removeFolders);
  folders.push(folder);
  return folder;
}

const folders: string[] = [];

/** A server that still runs may write meanwhile: what is left goes when the test run ends. */
function removeFolders(): void {
  for (const folder of folders) {
    try {
      rmSync(folder, { recursive: true, force: true, maxRetries: 2 });
    } catch {}
  }
}
