import { createHash, type Hash } from "node:crypto";
import { closeSync, fdatasync, fsync, openSync, renameSync, rmSync, write } from "node:fs";
import { promisify } from "node:util";
import { parentPort } from "node:worker_threads";
import type { FileJob, FileReply } from "./file-jobs.js";

const port = parentPort;
if (port === null) throw new Error("file-worker runs as a worker thread only");

/** Writing to the disk begins while the file grows, so that the fsync at its end is short. */
const SYNC_EVERY_BYTES = 32 << 20;

const writeAsync = promisify(write);
const syncAsync = promisify(fsync);
const syncDataAsync = promisify(fdatasync);

/** A file that this thread hashes while libuv's threads write it, if it has a path. */
class HashedOutput {
  readonly #hash: Hash = createHash("sha256");
  readonly #fd: number | undefined;
  readonly #temporary: string;
  readonly #path: string;
  readonly #pending = new Set<Promise<void>>();
  #size = 0;
  #unsynced = 0;
  #failure: unknown;

  constructor(temporary: string, path: string | undefined) {
    this.#fd = path === undefined ? undefined : openSync(temporary, "wx", 0o600);
    this.#temporary = temporary;
    this.#path = path ?? "";
  }

  async append(bytes: Uint8Array): Promise<void> {
    const at = this.#size;
    this.#size += bytes.length;
    const written = this.#fd === undefined ? undefined : this.#track(writeAll(this.#fd, bytes, at));
    this.#hash.update(bytes);
    await written;
    if (this.#fd !== undefined) this.#syncAhead(this.#fd, bytes.length);
  }

  async finish(): Promise<{ size: number; sha256: string }> {
    await Promise.all(this.#pending);
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#fd !== undefined) {
      await syncAsync(this.#fd);
      closeSync(this.#fd);
      renameSync(this.#temporary, this.#path);
    }
    return { size: this.#size, sha256: this.#hash.digest("hex") };
  }

  async abandon(): Promise<void> {
    await Promise.allSettled(this.#pending);
    if (this.#fd === undefined) return;
    closeSync(this.#fd);
    rmSync(this.#temporary, { force: true });
  }

  #syncAhead(fd: number, bytes: number): void {
    this.#unsynced += bytes;
    if (this.#unsynced < SYNC_EVERY_BYTES) return;
    this.#unsynced = 0;
    // Linux reports a failed write-back only once: the fsync at the end would succeed.
    const failed = (error: unknown): void => {
      this.#failure ??= error;
    };
    this.#track(syncDataAsync(fd).catch(failed));
  }

  #track(work: Promise<void>): Promise<void> {
    this.#pending.add(work);
    work.then(
      () => this.#pending.delete(work),
      () => this.#pending.delete(work),
    );
    return work;
  }
}

async function writeAll(fd: number, bytes: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await writeAsync(fd, bytes, done, bytes.length - done, at + done);
    done += bytesWritten;
  }
}

const files = new Map<number, HashedOutput>();

async function run(job: FileJob): Promise<Omit<FileReply, "id">> {
  if (job.kind === "open") {
    files.set(job.file, new HashedOutput(job.temporary, job.path));
    return {};
  }
  const file = files.get(job.file);
  // The file may never have been opened.
  if (file === undefined && job.kind === "abandon") return {};
  if (file === undefined) throw new Error("the file is not open");
  switch (job.kind) {
    case "append":
      await file.append(new Uint8Array(job.memory, job.from, job.length));
      return {};
    case "finish":
      files.delete(job.file);
      return await file.finish();
    case "abandon":
      files.delete(job.file);
      await file.abandon();
      return {};
  }
}

port.on("message", (job: FileJob) => {
  run(job).then(
    (reply) => port.postMessage({ id: job.id, ...reply } satisfies FileReply),
    (error: NodeJS.ErrnoException) => {
      const { message, code } = error;
      const reply: FileReply = { id: job.id, error: message, ...(code ? { errno: code } : {}) };
      port.postMessage(reply);
    },
  );
});
