import { createHash } from "node:crypto";
import { throwIfAborted } from "../../../errors.js";
import { EtcdFileError } from "./errors.js";
import { type RandomAccess, readFully } from "./random-access.js";

/** The end of a snapshot: SHA-256 of all before it. Pages are multiples of 512 bytes (etcd's `snapshot restore`). */
export const DIGEST_BYTES = 32;
const SECTOR_BYTES = 512;
const BLOCK_BYTES = 1 << 20;

/** Whether a file of so many bytes is a snapshot with its digest, rather than the database of a member. */
export function hasDigest(bytes: number): boolean {
  return bytes % SECTOR_BYTES === DIGEST_BYTES;
}

export interface SnapshotDigest {
  /** Bytes of the whole file, with the digest at its end. */
  readonly bytes: number;
  /** SHA-256 of the whole file, hexadecimal. */
  readonly sha256: string;
}

/**
 * Checks the SHA-256 at the end of a snapshot, which `etcdctl snapshot restore` checks as well.
 *
 * @param where names the file in errors
 * @throws EtcdFileError `ETCD_FILE_DIGEST`, InterruptedError
 */
export async function checkSnapshotDigest(
  file: RandomAccess,
  where: string,
  signal: AbortSignal,
): Promise<SnapshotDigest> {
  const { size } = file;
  if (!hasDigest(size) || size === DIGEST_BYTES) {
    const problem = `has no SHA-256 at its end: it is incomplete, or no snapshot of etcd (${size} bytes)`;
    throw new EtcdFileError("ETCD_FILE_DIGEST", where, problem);
  }
  const hash = createHash("sha256");
  await hashRange(file, 0, size - DIGEST_BYTES, where, signal, (block) => hash.update(block));
  const expected = hash.copy().digest();
  const digest = Buffer.alloc(DIGEST_BYTES);
  await readFully(file, digest, size - DIGEST_BYTES);
  if (!digest.equals(expected)) {
    throw new EtcdFileError("ETCD_FILE_DIGEST", where, "its SHA-256 is that of other bytes");
  }
  return { bytes: size, sha256: hash.update(digest).digest("hex") };
}

/** Reads from `start` to `end`, the next block while `take` has the one before. */
export async function hashRange(
  file: RandomAccess,
  start: number,
  end: number,
  where: string,
  signal: AbortSignal,
  take: (block: Buffer) => void,
): Promise<void> {
  const spare = [Buffer.allocUnsafeSlow(BLOCK_BYTES), Buffer.allocUnsafeSlow(BLOCK_BYTES)];
  let at = start;
  const next = async (buffer: Buffer | undefined): Promise<Buffer | undefined> => {
    if (buffer === undefined || at >= end) return undefined;
    const block = buffer.subarray(0, Math.min(BLOCK_BYTES, end - at));
    const position = at;
    at += block.length;
    if ((await readFully(file, block, position)) < block.length) {
      throw new EtcdFileError("ETCD_FILE_TRUNCATED", where, "ends too early");
    }
    return block;
  };
  let turn = 0;
  let block = await next(spare[turn]);
  while (block !== undefined) {
    throwIfAborted(signal);
    turn ^= 1;
    const following = next(spare[turn]);
    // A failure is thrown in its turn; until then it must not count as unhandled.
    following.catch(() => {});
    take(block);
    block = await following;
  }
}
