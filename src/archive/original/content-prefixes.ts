import { createHash } from "node:crypto";
import type { ContentPrefix } from "./frame-jobs.js";

const SHORTEST = 16;
const DIGEST_DIGITS = 32;
/** Contents with fewer different bytes are equal by chance: zeros, padding. */
const MIN_DIFFERENT_BYTES = 8;

/**
 * Digests of the first 16, 32, 64 … bytes of `content`: when one object was sealed with bytes of another, the two start
 * with the same bytes, whatever their lengths. Prefixes of only a few different bytes are left out.
 */
export function contentPrefixes(content: Uint8Array): ContentPrefix[] {
  const prefixes: ContentPrefix[] = [];
  const hash = createHash("sha256");
  const different = new Set<number>();
  let done = 0;
  for (let bytes = SHORTEST; bytes <= content.length; bytes *= 2) {
    const piece = content.subarray(done, bytes);
    hash.update(piece);
    done = bytes;
    for (let i = 0; i < piece.length && different.size < MIN_DIFFERENT_BYTES; i++) {
      different.add(piece[i] as number);
    }
    if (different.size < MIN_DIFFERENT_BYTES) continue;
    prefixes.push({ bytes, digest: hash.copy().digest("hex").slice(0, DIGEST_DIGITS) });
  }
  return prefixes;
}
