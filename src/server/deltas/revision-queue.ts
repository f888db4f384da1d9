import { CborReader, CborWriter } from "../../archive/cbor.js";
import {
  decodeRevision,
  encodeRevision,
  revisionBytes,
} from "../../archive/delta/delta-revision.js";
import { InterruptedError } from "../../errors.js";
import { raceAbort } from "../../flow/race-abort.js";
import { Waiters } from "../../flow/waiters.js";
import type { EtcdRevision } from "../../sources/etcd/history.js";

/** Bytes outside of memory: written at the end, read anywhere. */
export interface QueueFile {
  readonly size: number;
  write(bytes: Uint8Array): Promise<void>;
  read(target: Uint8Array, position: number): Promise<number>;
  /** Begins anew. */
  restart(bytes: number): Promise<void>;
  close(): Promise<void>;
}

interface QueueParts {
  /** That may wait in memory. */
  memoryBytes(): number;
  /** For what memory does not take. */
  openFile(): Promise<QueueFile>;
}

/** Largest size of the file. */
const FILE_BYTES = 16 * 2 ** 30;
/** Before each batch in the file: its length. */
const HEAD_BYTES = 8;

/** Revisions in their order on the way to someone slower, in memory first and then in a file. One writer, one reader. */
export class RevisionQueue {
  readonly #parts: QueueParts;
  readonly #changed = new Waiters();
  #batches: { readonly batch: readonly EtcdRevision[]; readonly bytes: number }[] = [];
  #bytes = 0;
  #file: QueueFile | undefined;
  /** What is in the file was read up to here. */
  #read = 0;
  /** And written up to here. */
  #written = 0;
  #end: { readonly error: unknown } | undefined;

  constructor(parts: QueueParts) {
    this.#parts = parts;
  }

  /** Takes a batch. Waits while the file is as large as it may be. Throws BackupToolError `SPOOL`. */
  async push(batch: readonly EtcdRevision[], signal: AbortSignal): Promise<void> {
    const bytes = batch.reduce((sum, revision) => sum + revisionBytes(revision), 0);
    for (;;) {
      // What is in the file is older.
      const isRead = this.#read === this.#written;
      const fits = this.#bytes === 0 || this.#bytes + bytes <= this.#parts.memoryBytes();
      if (isRead && fits) {
        this.#batches.push({ batch, bytes });
        this.#bytes += bytes;
        break;
      }
      if (isRead || this.#written + bytes <= FILE_BYTES) {
        await this.#write(batch, isRead);
        break;
      }
      await raceAbort(this.#changed.wait(), signal);
    }
    this.#changed.wakeAll();
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
        return first.batch;
      }
      if (this.#read < this.#written) return await this.#readBatch();
      if (this.#end !== undefined) throw this.#end.error;
      await raceAbort(this.#changed.wait(), signal);
    }
  }

  /** To be called when neither `push` nor `next` is pending. */
  async close(): Promise<void> {
    await this.#file?.close();
  }

  async #write(batch: readonly EtcdRevision[], isRead: boolean): Promise<void> {
    this.#file ??= await this.#parts.openFile();
    if (isRead && this.#written > 0) {
      await this.#file.restart(0);
      this.#read = 0;
      this.#written = 0;
    }
    const out = new CborWriter();
    for (const revision of batch) encodeRevision(out, revision);
    const head = Buffer.alloc(HEAD_BYTES);
    head.writeBigUInt64BE(BigInt(out.length));
    await this.#file.write(head);
    await this.#file.write(out.view());
    this.#written = this.#file.size;
  }

  async #readBatch(): Promise<readonly EtcdRevision[]> {
    const head = await this.#bytesAt(this.#read, HEAD_BYTES);
    const length = Number(head.readBigUInt64BE());
    const from = new CborReader(await this.#bytesAt(this.#read + HEAD_BYTES, length));
    const batch: EtcdRevision[] = [];
    while (!from.atEnd) batch.push(decodeRevision(from));
    this.#read += HEAD_BYTES + length;
    this.#changed.wakeAll();
    return batch;
  }

  async #bytesAt(position: number, length: number): Promise<Buffer> {
    if (position + length > this.#written) throw new RangeError("a batch is not whole");
    const bytes = Buffer.alloc(length);
    for (let done = 0; done < length; ) {
      const read = await this.#file?.read(bytes.subarray(done), position + done);
      if (read === undefined || read === 0) throw new RangeError("a batch ends too early");
      done += read;
    }
    return bytes;
  }
}
