import { throwIfAborted } from "../../../errors.js";
import { EtcdFileError } from "./errors.js";
import { type RandomAccess, readFully } from "./random-access.js";

const BLOCK_BYTES = 1 << 20;
/** One is read, one is taken, and the write of one may be under way. */
const BLOCKS = 3;

export interface Range {
  readonly start: number;
  /** Position after the last byte. */
  readonly end: number;
}

/**
 * Reads a range in blocks, the next one while `take` has the one before.
 *
 * @param where names the file in errors
 * @param take a block is used again once what this returns has resolved
 * @throws EtcdFileError `ETCD_FILE_TRUNCATED`, InterruptedError
 */
export async function eachBlock(
  file: RandomAccess,
  { start, end }: Range,
  where: string,
  signal: AbortSignal,
  take: (block: Buffer, position: number) => void | Promise<void>,
): Promise<void> {
  const ring = Array.from({ length: BLOCKS }, () => ({
    buffer: Buffer.allocUnsafeSlow(Math.min(BLOCK_BYTES, Math.max(0, end - start))),
    taken: Promise.resolve(),
  }));
  const read = async (index: number, position: number): Promise<Buffer | undefined> => {
    const slot = ring[index % BLOCKS];
    if (slot === undefined || position >= end) return undefined;
    await slot.taken;
    throwIfAborted(signal);
    const block = slot.buffer.subarray(0, Math.min(BLOCK_BYTES, end - position));
    if ((await readFully(file, block, position)) === block.length) return block;
    throw new EtcdFileError("ETCD_FILE_TRUNCATED", where, "ends too early");
  };
  let position = start;
  let next = read(0, position);
  try {
    for (let index = 0; ; index++) {
      const block = await next;
      if (block === undefined) break;
      next = read(index + 1, position + block.length);
      // A failure is thrown in its turn; until then it must not count as unhandled.
      next.catch(() => {});
      const slot = ring[index % BLOCKS];
      const taken = Promise.resolve(take(block, position));
      taken.catch(() => {});
      if (slot !== undefined) slot.taken = taken;
      position += block.length;
    }
  } finally {
    await Promise.allSettled([next, ...ring.map(({ taken }) => taken)]);
  }
  await Promise.all(ring.map(({ taken }) => taken));
}
