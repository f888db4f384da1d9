import { revisionBytes } from "../../archive/delta/delta-revision.js";
import { InterruptedError } from "../../errors.js";
import { raceAbort } from "../../flow/race-abort.js";
import { Waiters } from "../../flow/waiters.js";
import type { EtcdRevision } from "../../sources/etcd/history.js";
import { BatchFile, type QueueFile } from "./batch-file.js";

interface QueueParts {
  /** That may wait in memory. */
  memoryBytes(): number;
  /** For what memory does not take. */
  openFile(): Promise<QueueFile>;
  /** Size of a file from which on another one is begun. */
  readonly fileBytes?: number | undefined;
}

/** That may wait in files. */
const MOST_FILE_BYTES = 16 * 2 ** 30;
const FILE_BYTES = 64 * 2 ** 20;

/**
 * Revisions in their order on the way to someone slower, in memory first and then in files. A file is closed as soon as it was
 * read, so that what was taken needs no room. One writer, one reader.
 */
export class RevisionQueue {
  readonly #parts: QueueParts;
  readonly #changed = new Waiters();
  #batches: { readonly batch: readonly EtcdRevision[]; readonly bytes: number }[] = [];
  #bytes = 0;
  /** The oldest first. What is in them is newer than what is in memory. */
  readonly #files: BatchFile[] = [];
  #isWriting = false;
  #mostFileBytes = MOST_FILE_BYTES;
  #end: { readonly error: unknown } | undefined;

  constructor(parts: QueueParts) {
    this.#parts = parts;
  }

  /** Takes a batch. Waits while there is room for it neither in memory nor in files. Throws BackupToolError `SPOOL`. */
  async push(batch: readonly EtcdRevision[], signal: AbortSignal): Promise<void> {
    const bytes = batch.reduce((sum, revision) => sum + revisionBytes(revision), 0);
    for (;;) {
      const inFiles = this.#waitingInFiles;
      const fits = this.#bytes === 0 || this.#bytes + bytes <= this.#parts.memoryBytes();
      // What is in a file is older.
      if (inFiles === 0 && fits) {
        this.#batches.push({ batch, bytes });
        this.#bytes += bytes;
        break;
      }
      if (inFiles + bytes <= this.#mostFileBytes) {
        await this.#write(batch);
        break;
      }
      await raceAbort(this.#changed.wait(), signal);
    }
    this.#changed.wakeAll();
  }

  /**
   * The reader keeps up from now on, and takes all that waits: files take no more than they hold now, and nothing once they were
   * read. Then `push` waits for the reader where memory takes no more.
   */
  catchUp(): void {
    this.#mostFileBytes = this.#waitingInFiles;
  }

  /** Nothing more comes: `next` throws the error after the last batch. */
  end(error: unknown): void {
    this.#end ??= { error };
    this.#changed.wakeAll();
  }

  /** Removes the oldest batch; waits for one. */
  async next(signal: AbortSignal): Promise<readonly EtcdRevision[]> {
    for (;;) {
      if (signal.aborted) throw new InterruptedError();
      const first = this.#batches.shift();
      if (first !== undefined) {
        this.#bytes -= first.bytes;
        this.#changed.wakeAll();
        return first.batch;
      }
      const file = this.#files.find(({ waiting }) => waiting > 0);
      if (file !== undefined) {
        const batch = await file.next();
        await this.#closeRead();
        this.#changed.wakeAll();
        return batch;
      }
      if (this.#end !== undefined) throw this.#end.error;
      await raceAbort(this.#changed.wait(), signal);
    }
  }

  /** To be called when neither `push` nor `next` is pending. */
  async close(): Promise<void> {
    for (const file of this.#files.splice(0)) await file.close();
  }

  get #waitingInFiles(): number {
    return this.#files.reduce((sum, { waiting }) => sum + waiting, 0);
  }

  async #write(batch: readonly EtcdRevision[]): Promise<void> {
    const { openFile, fileBytes = FILE_BYTES } = this.#parts;
    this.#isWriting = true;
    try {
      let file = this.#files.at(-1);
      if (file === undefined || file.size >= fileBytes) {
        file = new BatchFile(await openFile());
        this.#files.push(file);
      }
      await file.write(batch);
    } finally {
      this.#isWriting = false;
    }
  }

  async #closeRead(): Promise<void> {
    // The last one may be about to get another batch.
    const most = this.#isWriting ? this.#files.length - 1 : this.#files.length;
    const left = this.#files.findIndex(({ waiting }) => waiting > 0);
    const read = this.#files.splice(0, left === -1 ? most : Math.min(left, most));
    for (const file of read) await file.close();
    if (this.#files.length === 0 && this.#mostFileBytes < MOST_FILE_BYTES) this.#mostFileBytes = 0;
  }
}
