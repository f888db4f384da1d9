import { readdir } from "node:fs/promises";
import { openRegularFile } from "./regular-file.js";

/** The files of a backup, in a folder or a store. */
export interface BackupFiles {
  /** For messages: a folder, or a snapshot in a store. */
  readonly where: string;
  /** Names of all files. */
  list(): Promise<string[]>;
  /** Throws MISSING_FILE. */
  open(name: string): Promise<BackupFile>;
}

/** A file open for reading, mostly front to back. */
export interface BackupFile {
  /** Bytes. */
  readonly size: number;
  /** Reads into `target` from `position` on; resolves with the number of bytes, 0 at the end of the file. */
  read(target: Uint8Array, position: number): Promise<number>;
  close(): Promise<void>;
}

/** A file in memory. */
export class BytesFile implements BackupFile {
  constructor(readonly bytes: Uint8Array) {}

  get size(): number {
    return this.bytes.length;
  }

  async read(target: Uint8Array, position: number): Promise<number> {
    const part = this.bytes.subarray(position, position + target.length);
    target.set(part);
    return part.length;
  }

  async close(): Promise<void> {}
}

/** A backup in a folder. */
export class FolderFiles implements BackupFiles {
  constructor(readonly where: string) {}

  async list(): Promise<string[]> {
    return await readdir(this.where);
  }

  async open(name: string): Promise<BackupFile> {
    const handle = await openRegularFile(this.where, name);
    try {
      const { size } = await handle.stat();
      return {
        size,
        read: async (target, position) =>
          (await handle.read(target, 0, target.length, position)).bytesRead,
        close: () => handle.close(),
      };
    } catch (error) {
      await handle.close();
      throw error;
    }
  }
}

/** Opens a file for `use`, and closes it. Throws MISSING_FILE. */
export async function withFile<T>(
  files: BackupFiles,
  name: string,
  use: (file: BackupFile) => Promise<T>,
): Promise<T> {
  const file = await files.open(name);
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}

/** Reads a whole file. Throws what `tooLong` returns when it has more than `most` bytes. */
export async function readWhole(
  file: BackupFile,
  most: number,
  tooLong: () => Error,
): Promise<Buffer> {
  if (file.size > most) throw tooLong();
  return await readStart(file, file.size);
}

/** Reads the first `most` bytes of a file, or all of it. */
export async function readStart(file: BackupFile, most: number): Promise<Buffer> {
  const bytes = Buffer.alloc(most);
  let length = 0;
  while (length < bytes.length) {
    const read = await file.read(bytes.subarray(length), length);
    if (read === 0) break;
    length += read;
  }
  return bytes.subarray(0, length);
}
