import { createHash } from "node:crypto";
import { CborWriter } from "../cbor.js";
import type { ArchivedChange } from "./revision.js";

/** Bytes of a digest of changes. */
export const CHANGES_DIGEST_BYTES = 16;

/** Bytes of changes that are encoded at a time: a revision may delete millions of keys. */
const PIECE_BYTES = 64 << 10;

const out = new CborWriter(PIECE_BYTES);

/**
 * The first 16 bytes of the SHA-256 over the CBOR array of the changes of one revision, as a delta has it. It links
 * deltas to each other, and a raw snapshot to the deltas after it.
 */
export function changesDigest(changes: readonly ArchivedChange[]): Buffer {
  const hash = createHash("sha256");
  out.reset();
  out.array(changes.length);
  for (const change of changes) {
    encodeChange(out, change);
    if (out.length < PIECE_BYTES) continue;
    hash.update(out.view());
    out.reset();
  }
  hash.update(out.view());
  return hash.digest().subarray(0, CHANGES_DIGEST_BYTES);
}

/** `[deleted 0|1, kv bytes]` */
export function encodeChange(writer: CborWriter, { deleted, kv }: ArchivedChange): void {
  writer.array(2);
  writer.uint(deleted ? 1 : 0);
  writer.bytes(kv);
}
