import { type FileHandle, open, rm, statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { CallWindow } from "../../flow/call-window.js";
import { formatSize } from "../../size-text.js";
import { EtcdFileError } from "../../sources/etcd/file/errors.js";
import { EarlySync } from "../../sources/etcd/file/write/early-sync.js";
import { writeFully } from "../../sources/etcd/file/write/page-appender.js";

/** One is written while the next bytes are read. */
const WRITES_IN_FLIGHT = 2;

/**
 * A database that is made in the folder of its result, under another name: written at its end, read anywhere. What fails
 * throws EtcdFileError `ETCD_FILE_IO`.
 */
export class UnfinishedFile {
  readonly handle: FileHandle;
  readonly where: string;
  readonly #window = new CallWindow(WRITES_IN_FLIGHT);
  readonly #sync: EarlySync | undefined;
  #size = 0;

  private constructor(handle: FileHandle, path: string, sync: boolean) {
    this.handle = handle;
    this.where = path;
    this.#sync = sync ? new EarlySync(handle) : undefined;
  }

  /**
   * @param path a new name; a file that an earlier try has left is removed
   * @param sync whether {@link finish} brings it to the disk
   */
  static async create(path: string, { sync }: { readonly sync: boolean }): Promise<UnfinishedFile> {
    try {
      await rm(path, { force: true });
      return new UnfinishedFile(await open(path, "wx+", 0o600), path, sync);
    } catch (cause) {
      throw cannotWrite(path, cause);
    }
  }

  /** Bytes that {@link write} took. */
  get size(): number {
    return this.#size;
  }

  /** Begins, for about `bytes` bytes. */
  async restart(bytes: number): Promise<void> {
    const { bavail, bsize } = await statfs(dirname(this.where));
    const free = bavail * bsize;
    if (bytes <= free) return;
    const problem = `cannot be written: ${formatSize(free)} are free, and ${formatSize(bytes)} are needed`;
    throw new EtcdFileError("ETCD_FILE_IO", this.where, problem);
  }

  /** Appends bytes, which must stay as they are: a failure may be thrown by a later call. */
  async write(bytes: Uint8Array): Promise<void> {
    const position = this.#size;
    this.#size += bytes.length;
    await this.#window.add(async () => {
      try {
        await writeFully(this.handle, bytes, position);
      } catch (cause) {
        throw cannotWrite(this.where, cause);
      }
      this.wrote(bytes.length);
    });
  }

  /** Reads into `target` from `position` on; resolves with the number of bytes, 0 at the end. */
  async read(target: Uint8Array, position: number): Promise<number> {
    await this.#window.drain();
    return (await this.handle.read(target, 0, target.length, position)).bytesRead;
  }

  /** So many bytes were written by its handle. */
  wrote(bytes: number): void {
    this.#sync?.wrote(bytes);
  }

  /** Resolves when all is written, and on the disk where that was asked for. */
  async finish(): Promise<void> {
    await this.#window.drain();
    try {
      await this.#sync?.finish();
    } catch (cause) {
      throw cannotWrite(this.where, cause);
    }
  }

  async close(): Promise<void> {
    await this.#window.settled();
    await this.handle.close();
  }
}

function cannotWrite(path: string, cause: unknown): EtcdFileError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new EtcdFileError("ETCD_FILE_IO", path, `cannot be written: ${why}`, { cause });
}
