import type { FileDigest } from "../threads/file-thread.js";

/** Where the files of a new backup go. */
export interface BackupTarget {
  /** Starts a file, which is not seen under its name before it is finished. */
  open(name: string): Promise<SealedOutput>;
  /** Makes the backup whole: MANIFEST.json, once all that it names is there to stay. */
  finish(manifest: string): Promise<void>;
  /** Ends threads and connections; without `finish` before it, the backup stays unfinished. */
  close(): Promise<void>;
}

/** A file that is written front to back, and hashed on its way. */
export interface SealedOutput {
  /** Appends after everything appended before; resolves when the memory is free again. */
  append(memory: SharedArrayBuffer, from: number, length: number): Promise<void>;
  finish(): Promise<FileDigest>;
  /** Removes what was written. */
  abandon(): Promise<void>;
}
