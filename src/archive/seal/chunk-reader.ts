import { throwIfAborted } from "../../errors.js";
import { RefCounted } from "../../flow/ref-counted.js";
import type { BackupFile } from "../backup-files.js";
import { damaged } from "../errors.js";
import type { HashedFile } from "../../threads/file-thread.js";
import { chunkNonce, FRAME_BYTES, maxSealedChunk, TAG_BYTES } from "../format.js";
import { NOT_ONE_FRAME, type Piece } from "./seal-jobs.js";
import { InvalidChunk, type SealPool } from "./seal-pool.js";

/** Bytes of one read. */
const BLOCK_BYTES = 4 << 20;
/** Chunks opened ahead of the consumer. */
const READ_AHEAD = 4;
/** Blocks in the queue of the hash, which is slower than opening on more than one core. */
const MAX_UNHASHED = 4;

/** Plaintext of one chunk. */
export class Chunk extends RefCounted {
  constructor(
    readonly bytes: Buffer,
    recycle: () => void,
  ) {
    super(recycle);
  }
}

/** A part of the file in memory, held by the frames and the hash that still read it. */
class Block extends RefCounted {
  constructor(
    readonly memory: SharedArrayBuffer,
    readonly start: number,
    readonly length: number,
    recycle: () => void,
  ) {
    super(recycle);
  }
}

/** A sealed file, and how to open it. */
interface SealedFileSource {
  readonly name: string;
  readonly file: BackupFile;
  /** Bytes of the whole file. */
  readonly size: number;
  /** Where the first chunk starts. */
  readonly headerBytes: number;
  readonly key: Uint8Array;
  readonly chunkBytes: number;
  readonly pool: SealPool;
  /** Gets every byte of the file, for its SHA-256. */
  readonly hash?: HashedFile;
  readonly signal?: AbortSignal;
}

interface Opening {
  readonly index: number;
  readonly out: SharedArrayBuffer;
  readonly opened: Promise<number | Error>;
}

/**
 * The chunks of a sealed file in their order. The consumer releases each. Throws DAMAGED before it yields a byte of a
 * damaged chunk.
 */
export async function* readChunks(source: SealedFileSource): AsyncGenerator<Chunk, void, void> {
  const { memory } = source.pool;
  const queue: Opening[] = [];
  const frames = readFrames(source);
  let ended = false;
  /** Why no frame follows; thrown after the chunks before it, unless one of them is damaged. */
  let broken: unknown;
  let index = 0;
  try {
    for (;;) {
      while (!ended && queue.length < READ_AHEAD) {
        throwIfAborted(source.signal);
        const next = await frames.next().catch((error: unknown) => {
          broken = error;
        });
        if (next === undefined || next.done) {
          ended = true;
          break;
        }
        const out = memory.take(source.chunkBytes);
        queue.push({ index, out, opened: openFrame(source, next.value, index, out) });
        index++;
      }
      const opening = queue.shift();
      if (opening === undefined) {
        if (broken !== undefined) throw broken;
        return;
      }
      const length = await opening.opened;
      if (length instanceof Error) throw length;
      const { out } = opening;
      yield new Chunk(Buffer.from(out, 0, length), () => memory.give(out));
    }
  } finally {
    await frames.return();
    await Promise.all(queue.map((opening) => opening.opened));
    for (const { out } of queue) memory.give(out);
  }
}

interface Frame {
  readonly pieces: readonly Piece[];
  readonly length: number;
  readonly last: boolean;
  release(): void;
}

async function openFrame(
  source: SealedFileSource,
  frame: Frame,
  index: number,
  out: SharedArrayBuffer,
): Promise<number | Error> {
  const { key, pool, name: file } = source;
  const open = (last: boolean) =>
    pool.open({
      pieces: frame.pieces,
      sealedLength: frame.length,
      out,
      key,
      nonce: chunkNonce(index, last),
    });
  try {
    const length = await open(frame.last);
    if (!frame.last && length !== source.chunkBytes) {
      return damaged("a chunk in the middle is short", { file, chunk: index });
    }
    if (length === 0 && index > 0) {
      return damaged("a chunk without content after others", { file, chunk: index });
    }
    return length;
  } catch (cause) {
    // A pool that is closed or has failed does not make the file damaged.
    if (!(cause instanceof InvalidChunk)) return asError(cause);
    if (cause.message === NOT_ONE_FRAME) {
      return damaged(NOT_ONE_FRAME, { file, chunk: index }, cause);
    }
    const otherEnd = await open(!frame.last).then(
      () => true,
      () => false,
    );
    const what = !otherEnd
      ? "its bytes are not those that were sealed"
      : frame.last
        ? "the file ends before its last chunk (truncated)"
        : "bytes follow its last chunk";
    return damaged(what, { file, chunk: index }, cause);
  } finally {
    frame.release();
  }
}

function asError(cause: unknown): Error {
  return cause instanceof Error ? cause : new Error(String(cause));
}

async function* readFrames(source: SealedFileSource): AsyncGenerator<Frame, void, void> {
  const { name: file, size, headerBytes, chunkBytes } = source;
  const longest = maxSealedChunk(chunkBytes);
  const { memory: shared } = source.pool;
  const hashing: Promise<void>[] = [];
  let blocks: Block[] = [];
  let readTo = 0;

  const readUpTo = async (end: number) => {
    while (readTo < end) {
      if (hashing.length >= MAX_UNHASHED) await hashing.shift();
      const wanted = Math.min(BLOCK_BYTES, size - readTo);
      const memory = shared.take(BLOCK_BYTES);
      const length = await readFully(source, memory, readTo, wanted);
      const block = new Block(memory, readTo, length, () => shared.give(memory));
      if (source.hash !== undefined) {
        block.retain();
        const release = (): void => block.release();
        // Asking for the digest reports an error of the hash.
        hashing.push(source.hash.append(memory, 0, length).then(release, release));
      }
      blocks.push(block);
      readTo += length;
    }
  };
  const forget = (before: number) => {
    while (blocks[0] !== undefined && blocks[0].start + blocks[0].length <= before) {
      blocks.shift()?.release();
    }
  };

  try {
    let position = headerBytes;
    if (position >= size) throw damaged("it ends after its header (truncated)", { file });
    for (let index = 0; position < size; index++) {
      const truncated = () =>
        damaged("the file ends within it (truncated)", { file, chunk: index });
      if (position + FRAME_BYTES > size) throw truncated();
      await readUpTo(position + FRAME_BYTES);
      const prefix = Buffer.alloc(FRAME_BYTES);
      for (const piece of pieces(blocks, position, FRAME_BYTES)) {
        prefix.set(new Uint8Array(piece.memory, piece.from, piece.length), piece.to);
      }
      const length = prefix.readUInt32LE(0);
      if (length < TAG_BYTES || length > longest) {
        throw damaged(`a length of ${length} bytes is outside of the format`, {
          file,
          chunk: index,
        });
      }
      position += FRAME_BYTES;
      if (position + length > size) throw truncated();
      await readUpTo(position + length);
      forget(position);
      const held = blocks.filter((block) => block.start < position + length);
      for (const block of held) block.retain();
      yield {
        pieces: pieces(blocks, position, length),
        length,
        last: position + length === size,
        release: () => {
          for (const block of held) block.release();
        },
      };
      position += length;
    }
  } finally {
    for (const block of blocks) block.release();
    blocks = [];
  }
}

function pieces(blocks: readonly Block[], start: number, length: number): Piece[] {
  const found: Piece[] = [];
  for (const block of blocks) {
    const from = Math.max(start, block.start);
    const to = Math.min(start + length, block.start + block.length);
    if (from < to) {
      const { memory } = block;
      found.push({ memory, from: from - block.start, to: from - start, length: to - from });
    }
  }
  return found;
}

async function readFully(
  source: SealedFileSource,
  memory: SharedArrayBuffer,
  position: number,
  length: number,
): Promise<number> {
  const target = Buffer.from(memory);
  let done = 0;
  while (done < length) {
    const read = await source.file.read(target.subarray(done, length), position + done);
    if (read === 0)
      throw damaged("the file became shorter while it was read", { file: source.name });
    done += read;
  }
  return done;
}
