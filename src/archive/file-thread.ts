import { basename, dirname, join } from "node:path";
import { Worker } from "node:worker_threads";
import { BackupToolError } from "../errors.js";
import type { FileJob, FileReply } from "./file-jobs.js";

/** Size in bytes and SHA-256 in hex of a finished file. */
export interface FileDigest {
  readonly size: number;
  readonly sha256: string;
}

type Request = FileJob extends infer J ? (J extends FileJob ? Omit<J, "id"> : never) : never;

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

/** Writes and hashes files on a thread of its own, each under a temporary name until it is finished. */
export class FileThread {
  readonly #worker: Worker;
  readonly #waiting = new Map<
    number,
    { resolve(reply: FileReply): void; reject(error: Error): void; path: string }
  >();
  #nextId = 0;
  #nextFile = 0;
  #failure: Error | undefined;

  constructor() {
    this.#worker = new Worker(new URL("./file-worker.js", import.meta.url));
    this.#worker.on("message", (reply: FileReply) => this.#settle(reply));
    this.#worker.on("error", (error) => this.#fail(error));
    this.#worker.on("exit", () => this.#fail(new Error("the file thread ended")));
    this.#worker.unref();
  }

  /** A file that is written to `path`, or with no path only hashed. Refuses to replace a temporary file. */
  async open(path?: string): Promise<HashedFile> {
    const file = this.#nextFile++;
    const temporary = path === undefined ? "" : join(dirname(path), `.${basename(path)}.partial`);
    await this.request({ kind: "open", file, temporary, path }, path ?? "");
    return new HashedFile(this, file, path ?? "");
  }

  /** @internal */
  request(job: Request, path: string): Promise<FileReply> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject, path });
      if (this.#waiting.size === 1) this.#worker.ref();
      this.#worker.postMessage({ id, ...job });
    });
  }

  async close(): Promise<void> {
    this.#fail(new Error("the file thread is closed"));
    await this.#worker.terminate();
  }

  #settle(reply: FileReply): void {
    const waiting = this.#waiting.get(reply.id);
    if (waiting === undefined) return;
    this.#waiting.delete(reply.id);
    if (this.#waiting.size === 0) this.#worker.unref();
    if (reply.error === undefined) waiting.resolve(reply);
    else waiting.reject(new FolderError(waiting.path, reply.error, reply.errno));
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
  }
}

/** One file of a {@link FileThread}. */
export class HashedFile {
  readonly #thread: FileThread;
  readonly #file: number;
  readonly #path: string;

  constructor(thread: FileThread, file: number, path: string) {
    this.#thread = thread;
    this.#file = file;
    this.#path = path;
  }

  /** Appends after everything appended before; resolves when the memory is free again. */
  async append(memory: SharedArrayBuffer, from: number, length: number): Promise<void> {
    await this.#thread.request(
      { kind: "append", file: this.#file, memory, from, length },
      this.#path,
    );
  }

  /** Syncs, gives the file its name. */
  async finish(): Promise<FileDigest> {
    const reply = await this.#thread.request({ kind: "finish", file: this.#file }, this.#path);
    return { size: reply.size ?? 0, sha256: reply.sha256 ?? "" };
  }

  /** Removes what was written. */
  async abandon(): Promise<void> {
    await this.#thread.request({ kind: "abandon", file: this.#file }, this.#path);
  }
}
