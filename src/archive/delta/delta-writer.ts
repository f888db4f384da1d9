import { CborWriter } from "../cbor.js";
import type { BackupKeys } from "../crypto/backup-keys.js";
import { DEFAULT_CHUNK_BYTES, FileType, MAX_DELTAS, MAX_TEXT_BYTES } from "../format.js";
import { encodeHeader } from "../header.js";
import type { SealPool } from "../seal/seal-pool.js";
import { SealedFileWriter } from "../seal/sealed-file-writer.js";
import { CHANGES_DIGEST_BYTES, changesDigest } from "./changes-digest.js";
import {
  type DeltaHead,
  encodeHead,
  isClusterId,
  isHoleBefore,
  type LogHole,
} from "./delta-head.js";
import { encodeRevision, fitDelta, fitsDelta, revisionBytes } from "./delta-revision.js";
import { MemoryOutput } from "./memory-output.js";
import type { ArchivedRevision } from "./revision.js";

/** The facts of a new stream. */
export interface NewStream {
  /** Its name in stores. */
  readonly stream: string;
  /** The id of the etcd cluster, hexadecimal as in METADATA.bin. */
  readonly clusterId: string;
  /** First revision of its first delta. */
  readonly firstRevision: number;
  /** Digest of the changes of the revision before it, where the writer saw them; null where not. */
  readonly before: Uint8Array | null;
  /** Revisions up to the one before the first that the log has lost. */
  readonly hole?: LogHole | null;
}

/** A delta that is ready to be stored. */
export interface SealedDelta {
  readonly number: number;
  readonly first: number;
  readonly last: number;
  /** When the last revision was seen, seconds since 1970. */
  readonly time: number;
  /** The whole file. */
  readonly bytes: Buffer;
  /** Of the file, hex. */
  readonly sha256: string;
}

/** Keys that have a writer: a second one would use the same nonces for other contents. */
const used = new WeakSet<BackupKeys>();

/** How the deltas of a stream are compressed: they are small, and written every few seconds. */
const COMPRESSION_LEVEL = 3;

/**
 * Seals the deltas of one stream, one after the other. Each number has its own key, and gets one content only. So a stream
 * has one writer, which counts the numbers; after an error, or in another process, another stream begins.
 */
export class DeltaWriter {
  readonly #keys: BackupKeys;
  readonly #pool: SealPool;
  readonly #stream: Pick<DeltaHead, "stream" | "clusterId">;
  readonly #hole: LogHole | null;
  readonly #chunkBytes: number;
  #next: number;
  #before: Uint8Array | null;
  #number = 0;
  #seenMs = 0;
  #isBroken = false;

  constructor(
    options: NewStream & {
      readonly keys: BackupKeys;
      readonly pool: SealPool;
      readonly chunkBytes?: number;
    },
  ) {
    const { keys, pool, stream, clusterId, firstRevision, before, hole = null } = options;
    if (used.has(keys)) throw new RangeError("the keys of a stream have a writer already");
    if (!isClusterId(clusterId))
      throw new RangeError(`${clusterId} is not a cluster id in hexadecimal`);
    if (!(firstRevision > 0)) throw new RangeError(`a stream from revision ${firstRevision}`);
    if (before !== null && before.length !== CHANGES_DIGEST_BYTES) {
      throw new RangeError(`a digest of ${before.length} bytes`);
    }
    if (hole !== null && !isHoleBefore(hole, firstRevision)) {
      throw new RangeError(`a hole of ${hole.from} to ${hole.to} before ${firstRevision}`);
    }
    used.add(keys);
    this.#keys = keys;
    this.#pool = pool;
    this.#stream = { stream, clusterId };
    this.#hole = hole && { ...hole, reason: shortened(hole.reason) };
    this.#chunkBytes = options.chunkBytes ?? DEFAULT_CHUNK_BYTES;
    this.#next = firstRevision;
    this.#before = before;
  }

  /** The revision that the next delta begins with. */
  get nextRevision(): number {
    return this.#next;
  }

  /** How many deltas were sealed. */
  get count(): number {
    return this.#number;
  }

  /** Whether the stream has as many deltas as it may have: the next one needs another stream. */
  get isFull(): boolean {
    return this.#number >= MAX_DELTAS;
  }

  /**
   * Seals the next revisions as one delta. Times of a clock that was set back are raised to the last one. Throws
   * RangeError for revisions that do not follow the last ones, or that {@link fitsDelta} rejects.
   *
   * @param compactRevision up to where etcd is compacted; 0: not at all
   */
  async seal(
    revisions: readonly ArchivedRevision[],
    compactRevision: number,
  ): Promise<SealedDelta> {
    this.#check(revisions);
    const number = this.#number;
    const first = this.#next;
    const last = first + revisions.length - 1;
    const after = changesDigest(revisions.at(-1)?.changes ?? []);
    // From here on the number is used, whatever happens.
    this.#isBroken = true;
    const hole = number === 0 ? this.#hole : null;
    const before = this.#before;
    const head = { ...this.#stream, first, last, before, after, compactRevision, hole };
    const file = await this.#write(number, head, revisions);
    this.#number++;
    this.#next = last + 1;
    this.#before = after;
    this.#isBroken = false;
    return { number, first, last, time: Math.floor(this.#seenMs / 1000), ...file };
  }

  #check(revisions: readonly ArchivedRevision[]): void {
    if (this.#isBroken) throw new RangeError("the delta before failed, or is being sealed");
    if (this.isFull) throw new RangeError(`a stream has ${MAX_DELTAS} deltas at most`);
    if (revisions.length === 0) throw new RangeError("a delta without revisions");
    let bytes = 0;
    for (const [i, revision] of revisions.entries()) {
      const expected = this.#next + i;
      if (revision.revision !== expected) {
        throw new RangeError(`revision ${revision.revision} in the place of ${expected}`);
      }
      if (revision.changes.length === 0) throw new RangeError(`no changes in ${expected}`);
      if (!fitsDelta(revision)) throw new RangeError(`revision ${expected} is too large`);
      bytes += revisionBytes(revision);
    }
    if (!fitDelta(bytes)) throw new RangeError(`a delta of ${bytes} bytes`);
  }

  async #write(
    number: number,
    head: DeltaHead,
    revisions: readonly ArchivedRevision[],
  ): Promise<Pick<SealedDelta, "bytes" | "sha256">> {
    const keys = this.#keys;
    const unsigned = encodeHeader({
      type: FileType.delta,
      number,
      backupId: keys.backupId,
      chunkBytes: this.#chunkBytes,
      slots: [keys.slotBytes],
    });
    const output = new MemoryOutput();
    const writer = new SealedFileWriter({
      file: output,
      pool: this.#pool,
      header: Buffer.concat([unsigned, keys.headerMac(unsigned)]),
      key: keys.fileKey(FileType.delta, number),
      chunkBytes: this.#chunkBytes,
      level: COMPRESSION_LEVEL,
    });
    const item = new CborWriter();
    encodeHead(item, head);
    writer.append(item.view());
    for (const revision of revisions) {
      item.reset();
      this.#seenMs = Math.max(this.#seenMs, revision.seenMs);
      encodeRevision(item, { ...revision, seenMs: this.#seenMs });
      writer.append(item.view());
      await writer.ready();
    }
    const { sha256 } = await writer.finish();
    return { bytes: output.bytes, sha256 };
  }
}

/** The start of a text that has at most {@link MAX_TEXT_BYTES} of UTF-8. */
function shortened(text: string): string {
  let short = text;
  while (Buffer.byteLength(short) > MAX_TEXT_BYTES) short = short.slice(0, -1);
  return short;
}
