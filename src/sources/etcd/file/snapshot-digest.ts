import { createHash } from "node:crypto";
import { eachBlock } from "./blocks.js";
import { EtcdFileError } from "./errors.js";
import { type RandomAccess, readFully } from "./random-access.js";

/** The end of a snapshot: SHA-256 of all before it. Pages are multiples of 512 bytes (etcd's `snapshot restore`). */
export const DIGEST_BYTES = 32;
const SECTOR_BYTES = 512;

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
  const covered = { start: 0, end: size - DIGEST_BYTES };
  await eachBlock(file, covered, where, signal, (block) => {
    hash.update(block);
  });
  const expected = hash.copy().digest();
  const digest = Buffer.alloc(DIGEST_BYTES);
  await readFully(file, digest, size - DIGEST_BYTES);
  if (!digest.equals(expected)) {
    throw new EtcdFileError("ETCD_FILE_DIGEST", where, "its SHA-256 is that of other bytes");
  }
  return { bytes: size, sha256: hash.update(digest).digest("hex") };
}
