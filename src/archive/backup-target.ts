import type { FileDigest } from "../threads/file-thread.js";

/** Takes the files of a new backup: a folder, or stores. */
export interface BackupTarget {
  /** Starts a file. It gets its name only once it is finished. */
  open(name: string): Promise<SealedOutput>;
  /** Completes the backup: writes MANIFEST.json after all other files are durable. */
  finish(manifest: string): Promise<void>;
  /** Ends threads and connections. Without `finish` before it, the backup stays unfinished. */
  close(): Promise<void>;
}

/** A file that is written front to back and hashed. */
export interface SealedOutput {
  /** Appends in the order of the calls; resolves when the memory is free again. */
  append(memory: SharedArrayBuffer, from: number, length: number): Promise<void>;
  finish(): Promise<FileDigest>;
  /** Removes what was written. */
  abandon(): Promise<void>;
}
