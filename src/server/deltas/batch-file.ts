import { CborReader, CborWriter } from "../../archive/cbor.js";
import { decodeRevision, encodeRevision } from "../../archive/delta/delta-revision.js";
import type { EtcdRevision } from "../../sources/etcd/history.js";

/** Bytes outside of memory: written at the end, read anywhere. */
export interface QueueFile {
  readonly size: number;
  write(bytes: Uint8Array): Promise<void>;
  read(target: Uint8Array, position: number): Promise<number>;
  close(): Promise<void>;
}

/** Before each batch: its length. */
const HEAD_BYTES = 8;

/** Batches of revisions in a file, which come out in their order. One writer, one reader. */
export class BatchFile {
  readonly #file: QueueFile;
  /** It was read up to here. */
  #read = 0;
  /** And written up to here. */
  #written = 0;

  constructor(file: QueueFile) {
    this.#file = file;
  }

  get size(): number {
    return this.#written;
  }

  /** Bytes that were written and not read. */
  get waiting(): number {
    return this.#written - this.#read;
  }

  async write(batch: readonly EtcdRevision[]): Promise<void> {
    const out = new CborWriter();
    for (const revision of batch) encodeRevision(out, revision);
    const head = Buffer.alloc(HEAD_BYTES);
    head.writeBigUInt64BE(BigInt(out.length));
    await this.#file.write(head);
    await this.#file.write(out.view());
    this.#written = this.#file.size;
  }

  /** One must wait. */
  async next(): Promise<readonly EtcdRevision[]> {
    const head = await this.#bytesAt(this.#read, HEAD_BYTES);
    const length = Number(head.readBigUInt64BE());
    const from = new CborReader(await this.#bytesAt(this.#read + HEAD_BYTES, length));
    const batch: EtcdRevision[] = [];
    while (!from.atEnd) batch.push(decodeRevision(from));
    this.#read += HEAD_BYTES + length;
    return batch;
  }

  /** Frees its space. */
  async close(): Promise<void> {
    await this.#file.close();
  }

  async #bytesAt(position: number, length: number): Promise<Buffer> {
    if (position + length > this.#written) throw new RangeError("a batch is not whole");
    const bytes = Buffer.alloc(length);
    for (let done = 0; done < length; ) {
      const read = await this.#file.read(bytes.subarray(done), position + done);
      if (read === 0) throw new RangeError("a batch ends too early");
      done += read;
    }
    return bytes;
  }
}
