import type { ContentPrefix } from "../../archive/original/frame-jobs.js";
import type { ObjectPlace } from "../events.js";

/** Most prefixes in memory, about 200 bytes each; the oldest are dropped. */
const REMEMBERED = 500_000;

/**
 * Finds objects that begin with the same bytes: the original tool could seal a read buffer that was in use again, and so
 * write the content of one object under the name of another. The lengths stayed, so one of the two contents is a prefix
 * of the other.
 */
export class SimilarContents {
  /** The first object that had a prefix. */
  readonly #all = new Map<string, ObjectPlace>();
  /** The first object of which the prefix is more than half. */
  readonly #longest = new Map<string, ObjectPlace>();

  /** An earlier object with the same first bytes, over more than half of the shorter one. */
  find(
    object: ObjectPlace,
    prefixes: readonly ContentPrefix[],
  ): { other: ObjectPlace; bytes: number } | undefined {
    let found: { other: ObjectPlace; bytes: number } | undefined;
    const last = prefixes.at(-1);
    for (const prefix of prefixes) {
      const other = (prefix === last ? this.#all : this.#longest).get(prefix.digest);
      if (other !== undefined) found = { other, bytes: prefix.bytes };
    }
    for (const { digest } of prefixes) remember(this.#all, digest, object);
    if (last !== undefined) remember(this.#longest, last.digest, object);
    return found;
  }
}

function remember(map: Map<string, ObjectPlace>, digest: string, object: ObjectPlace): void {
  if (map.has(digest)) return;
  map.set(digest, object);
  if (map.size <= REMEMBERED) return;
  for (const oldest of map.keys()) {
    map.delete(oldest);
    return;
  }
}
