import type { BackupFile } from "../backup-files.js";
import { readSequence } from "../cbor-sequence.js";
import type { BackupKeys } from "../crypto/backup-keys.js";
import { ArchiveError, damaged } from "../errors.js";
import { FileType, MAX_DELTA_BYTES } from "../format.js";
import { readHeader } from "../header.js";
import { type Chunk, readChunks } from "../seal/chunk-reader.js";
import type { SealPool } from "../seal/seal-pool.js";
import { checkHeader } from "../sealed-files.js";
import { type DeltaHead, decodeHead } from "./delta-head.js";
import { DeltaCheck } from "./delta-check.js";
import { decodeRevision } from "./delta-revision.js";
import type { ArchivedRevision } from "./revision.js";

/** What the names of a delta and of its stream say about it. */
export interface NamedDelta {
  /** Name of the stream. */
  readonly stream: string;
  readonly number: number;
  readonly first: number;
  readonly last: number;
  /** When its last revision was seen, seconds since 1970. */
  readonly time: number;
}

/** How a delta is opened. */
export interface DeltaSource {
  /** Its place, for messages. */
  readonly name: string;
  readonly file: BackupFile;
  readonly keys: BackupKeys;
  readonly pool: SealPool;
  readonly expected: NamedDelta;
  readonly signal?: AbortSignal | undefined;
}

/** Most revisions of a batch. */
const BATCH = 1024;

type Item = { readonly head: DeltaHead } | { readonly revision: ArchivedRevision };

/** A delta whose header and head are checked. It closes its file. */
export class DeltaReader {
  readonly head: DeltaHead;
  readonly #items: AsyncGenerator<readonly Item[], void, void>;
  readonly #begun: readonly Item[];
  readonly #check: DeltaCheck;
  readonly #file: BackupFile;
  #isClosed = false;

  private constructor(
    head: DeltaHead,
    items: AsyncGenerator<readonly Item[], void, void>,
    begun: readonly Item[],
    { name, expected, file }: DeltaSource,
  ) {
    this.head = head;
    this.#items = items;
    this.#begun = begun;
    this.#file = file;
    this.#check = new DeltaCheck(head, name, expected.time);
  }

  /** Throws DAMAGED, or DOES_NOT_BELONG for a file that is not the one that its name says. */
  static async open(source: DeltaSource): Promise<DeltaReader> {
    const items = readItems(source);
    try {
      for (;;) {
        const next = await items.next();
        if (next.done) throw damaged("it has no head", { file: source.name });
        const [first, ...begun] = next.value;
        if (first === undefined) continue;
        if (!("head" in first)) throw damaged("it has no head", { file: source.name });
        checkNamed(first.head, source);
        return new DeltaReader(first.head, items, begun, source);
      }
    } catch (error) {
      await items.return();
      await source.file.close();
      throw error;
    }
  }

  /**
   * Its revisions in order, some at a time; their bytes may be kept. To be called once. Throws DAMAGED and
   * DOES_NOT_BELONG, at the latest after the last one.
   */
  async *revisions(): AsyncGenerator<readonly ArchivedRevision[], void, void> {
    try {
      const first = this.#revisionsOf(this.#begun);
      if (first.length > 0) yield first;
      for await (const items of this.#items) {
        const revisions = this.#revisionsOf(items);
        if (revisions.length > 0) yield revisions;
      }
      this.#check.end();
    } finally {
      await this.close();
    }
  }

  /** Stops reading; not needed after `revisions` has ended. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#items.return();
    await this.#file.close();
  }

  #revisionsOf(items: readonly Item[]): ArchivedRevision[] {
    return items.map((item) => {
      if ("head" in item) throw this.#check.damage("it has two heads");
      this.#check.revision(item.revision);
      return item.revision;
    });
  }
}

/** The items of a delta; the first one is its head. */
async function* readItems(source: DeltaSource): AsyncGenerator<readonly Item[], void, void> {
  const { name, file, keys, pool, expected, signal } = source;
  const header = await readHeader(file, name);
  const { number } = expected;
  checkHeader(header, keys, { file: name, type: FileType.delta, number }, "stream");
  const chunks = readChunks({
    ...{ name, file, pool },
    size: file.size,
    headerBytes: header.length,
    key: keys.fileKey(FileType.delta, number),
    chunkBytes: header.chunkBytes,
    ...(signal === undefined ? {} : { signal }),
  });
  let isHead = true;
  yield* readSequence(bounded(chunks, name), {
    decode: (from): Item => {
      if (!isHead) return { revision: decodeRevision(from) };
      const head = decodeHead(from);
      isHead = false;
      return { head };
    },
    maxItemBytes: MAX_DELTA_BYTES,
    batch: BATCH,
    invalid: (cause) => damaged("an item in it is not one of this format", { file: name }, cause),
  });
}

/** Throws DAMAGED for more content than a delta may have. */
async function* bounded(chunks: AsyncIterable<Chunk>, file: string): AsyncGenerator<Chunk> {
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.bytes.length;
    if (bytes > MAX_DELTA_BYTES) {
      chunk.release();
      throw damaged(`it has more than ${MAX_DELTA_BYTES} bytes of content`, { file });
    }
    yield chunk;
  }
}

function checkNamed(head: DeltaHead, { name: file, expected }: DeltaSource): void {
  const { stream, first, last, number } = expected;
  if (head.stream !== stream) {
    throw new ArchiveError("DOES_NOT_BELONG", "it is a delta of another stream", { file });
  }
  if (head.first !== first || head.last !== last) {
    const holds = `it holds the revisions ${head.first} to ${head.last}`;
    const message = `${holds}, and its name says ${first} to ${last}`;
    throw new ArchiveError("DOES_NOT_BELONG", message, { file });
  }
  if (number > 0 && head.before === null)
    throw damaged("it does not name the one before", { file });
  if (number > 0 && head.hole !== null) throw damaged("it names a hole within a stream", { file });
}
