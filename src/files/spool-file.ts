import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { type FileHandle, statfs } from "node:fs/promises";
import { BackupToolError, errorMessage } from "../errors.js";
import { quoted } from "../quoted.js";
import { formatSize } from "../size-text.js";
import { unnamedFile } from "./unnamed-file.js";

const ALGORITHM = "aes-256-ctr";
const KEY_BYTES = 32;
/** Bytes of a block of the cipher, and of its counter. */
const BLOCK_BYTES = 16;

/**
 * Bytes on disk for as long as this process needs them: written at the end, read anywhere. The file has no name, so a kill
 * leaves nothing, and its bytes are encrypted with a key that only the memory of this process has, so the disk never
 * holds a secret. The encryption does not authenticate.
 */
export class SpoolFile {
  readonly #folder: string;
  readonly #setting: string;
  readonly #handle: FileHandle;
  #key = randomBytes(KEY_BYTES);
  #cipher = createCipheriv(ALGORITHM, this.#key, counter(0));
  #size = 0;

  private constructor(handle: FileHandle, folder: string, setting: string) {
    this.#handle = handle;
    this.#folder = folder;
    this.#setting = setting;
  }

  /**
   * @param setting the one that names the folder, for errors
   * @throws BackupToolError `SPOOL`
   */
  static async create(folder: string, setting: string): Promise<SpoolFile> {
    try {
      return new SpoolFile(await unnamedFile(folder), folder, setting);
    } catch (error) {
      throw spoolError(`cannot write into ${quoted(folder)}`, setting, error);
    }
  }

  /** Bytes so far. */
  get size(): number {
    return this.#size;
  }

  /**
   * Begins anew, for about `bytes` bytes.
   *
   * @throws BackupToolError `SPOOL` where the file system has no room for them
   */
  async restart(bytes: number): Promise<void> {
    await this.#handle.truncate(0);
    this.#size = 0;
    // Other bytes under the same key would tell how both differ.
    this.#key = randomBytes(KEY_BYTES);
    this.#cipher = createCipheriv(ALGORITHM, this.#key, counter(0));
    const { bavail, bsize } = await statfs(this.#folder);
    const free = bavail * bsize;
    if (bytes <= free) return;
    throw spoolError(
      `${quoted(this.#folder)} has ${formatSize(free)} free, and ${formatSize(bytes)} are needed`,
      this.#setting,
    );
  }

  /** Appends. Calls must not overlap. Throws BackupToolError `SPOOL`. */
  async write(bytes: Uint8Array): Promise<void> {
    const sealed = this.#cipher.update(bytes);
    try {
      for (let done = 0; done < sealed.length; ) {
        const { bytesWritten } = await this.#handle.write(
          sealed,
          done,
          sealed.length - done,
          this.#size + done,
        );
        done += bytesWritten;
      }
    } catch (error) {
      throw spoolError(`cannot write into ${quoted(this.#folder)}`, this.#setting, error);
    }
    this.#size += sealed.length;
  }

  /** Reads into `target` from `position` on; resolves with the number of bytes, 0 at the end. */
  async read(target: Uint8Array, position: number): Promise<number> {
    const { bytesRead } = await this.#handle.read(target, 0, target.length, position);
    if (bytesRead === 0) return 0;
    const block = Math.floor(position / BLOCK_BYTES);
    const cipher = createDecipheriv(ALGORITHM, this.#key, counter(block));
    cipher.update(Buffer.alloc(position % BLOCK_BYTES));
    target.set(cipher.update(target.subarray(0, bytesRead)));
    return bytesRead;
  }

  /** Frees the space. */
  async close(): Promise<void> {
    await this.#handle.close();
  }
}

/** The counter of a block, as big-endian number. */
function counter(block: number): Buffer {
  const bytes = Buffer.alloc(BLOCK_BYTES);
  bytes.writeBigUInt64BE(BigInt(block), BLOCK_BYTES - 8);
  return bytes;
}

function spoolError(problem: string, setting: string, cause?: unknown): BackupToolError {
  const why = cause === undefined ? "" : `: ${errorMessage(cause)}`;
  return new BackupToolError("SPOOL", `${problem}${why}`, {
    cause,
    hint: "name a folder with enough room for etcd's database",
    settings: [setting],
  });
}
