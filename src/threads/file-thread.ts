import { basename, dirname, join } from "node:path";
import { BackupToolError } from "../errors.js";
import { SharedMemory } from "./shared-memory.js";
import type { FileJob, FileReply } from "./file-jobs.js";
import { WorkerCalls } from "./worker-calls.js";

/** Size in bytes and SHA-256 in hex of a finished file. */
export interface FileDigest {
  readonly size: number;
  readonly sha256: string;
}

/** A folder or file that cannot be written. */
export class FolderError extends BackupToolError {
  readonly path: string;
  readonly errno: string | undefined;

  constructor(path: string, message: string, errno: string | undefined) {
    const hint = errno === "ENOSPC" ? "free some space or use another folder" : undefined;
    super("FOLDER", `cannot write ${path}: ${message}`, { hint });
    this.path = path;
    this.errno = errno;
  }
}

/** Writes and hashes files on its own thread, each under a temporary name until it is finished. */
export class FileThread {
  /** Shared memory for callers to append from. */
  readonly memory = new SharedMemory();
  readonly #worker = new WorkerCalls<FileJob, FileReply>(
    new URL("./file-worker.js", import.meta.url),
    "file thread",
  );
  #nextFile = 0;

  /** Opens a file that is written to `path`, or only hashed when there is no path. Never replaces a temporary file. */
  async open(path?: string): Promise<HashedFile> {
    const file = this.#nextFile++;
    const temporary = path === undefined ? "" : join(dirname(path), `.${basename(path)}.partial`);
    checked(await this.#worker.call({ kind: "open", file, temporary, path }), path ?? "");
    return new HashedFile(this.#worker, file, path ?? "");
  }

  async close(): Promise<void> {
    await this.#worker.close();
  }
}

function checked(reply: FileReply, path: string): FileReply {
  if (reply.error !== undefined) throw new FolderError(path, reply.error, reply.errno);
  return reply;
}

/** One file of a {@link FileThread}. */
export class HashedFile {
  readonly #worker: WorkerCalls<FileJob, FileReply>;
  readonly #file: number;
  readonly #path: string;

  constructor(worker: WorkerCalls<FileJob, FileReply>, file: number, path: string) {
    this.#worker = worker;
    this.#file = file;
    this.#path = path;
  }

  /** Appends after everything appended before; resolves when the memory is free again. */
  async append(memory: SharedArrayBuffer, from: number, length: number): Promise<void> {
    const file = this.#file;
    checked(await this.#worker.call({ kind: "append", file, memory, from, length }), this.#path);
  }

  /** Syncs the file and gives it its name. */
  async finish(): Promise<FileDigest> {
    const call = this.#worker.call({ kind: "finish", file: this.#file });
    const { size, sha256 } = checked(await call, this.#path);
    return { size: size ?? 0, sha256: sha256 ?? "" };
  }

  /** Removes what was written. */
  async abandon(): Promise<void> {
    checked(await this.#worker.call({ kind: "abandon", file: this.#file }), this.#path);
  }
}
