import type { EtcdChange } from "../history.js";
import { readKeyValue } from "./watch-answer.js";

/** How a revision that comes again compares with what is known of it. */
export type Comparison = "same" | "different" | "unknown";

/** A revision of which only a digest is known. */
export interface KnownDigest {
  readonly revision: number;
  readonly digest: Uint8Array;
  readonly digestOf: (changes: readonly EtcdChange[]) => Uint8Array;
}

/** Bytes of changes that are kept for comparison; the last revision is kept whatever it has. */
const KEPT_BYTES = 4 << 20;

interface Entry {
  readonly revision: number;
  readonly changes: readonly EtcdChange[];
  readonly bytes: number;
}

/** The last revisions of a watch, for when etcd sends one of them again. */
export class EarlierRevisions {
  readonly #digest: KnownDigest | undefined;
  #entries: Entry[] = [];
  #bytes = 0;

  constructor(digest?: KnownDigest) {
    this.#digest = digest;
  }

  add(revision: number, changes: readonly EtcdChange[]): void {
    const bytes = changes.reduce((sum, { kv }) => sum + kv.length, 0);
    this.#entries.push({ revision, changes, bytes });
    this.#bytes += bytes;
    while (this.#bytes > KEPT_BYTES && this.#entries.length > 1) {
      this.#bytes -= this.#entries.shift()?.bytes ?? 0;
    }
  }

  /** Drops those that were not handed over. */
  forgetAfter(revision: number): void {
    while ((this.#entries.at(-1)?.revision ?? 0) > revision) {
      this.#bytes -= this.#entries.pop()?.bytes ?? 0;
    }
  }

  /** Whether anything is known of `revision`. */
  has(revision: number): boolean {
    return this.#changes(revision) !== undefined || this.#digest?.revision === revision;
  }

  compare(revision: number, changes: readonly EtcdChange[]): Comparison {
    const known = this.#changes(revision);
    if (known !== undefined) return areSame(known, changes) ? "same" : "different";
    if (this.#digest?.revision !== revision) return "unknown";
    const { digest, digestOf } = this.#digest;
    return Buffer.compare(digestOf(changes), digest) === 0 ? "same" : "different";
  }

  /**
   * Compares with what a compaction can have left of `revision`: deletions are gone, and puts that a later change of the
   * same revision replaced.
   */
  compareCompacted(revision: number, changes: readonly EtcdChange[]): Comparison {
    const known = this.#changes(revision);
    if (known === undefined) return "unknown";
    const lastOfKey = new Map(known.map((change, i) => [keyOf(change), i]));
    let next = 0;
    for (const [i, change] of known.entries()) {
      const left = changes[next];
      if (left !== undefined && isSame(change, left)) next++;
      else if (!change.deleted && lastOfKey.get(keyOf(change)) === i) return "different";
    }
    return next === changes.length ? "same" : "different";
  }

  #changes(revision: number): readonly EtcdChange[] | undefined {
    const first = this.#entries[0];
    // The entries are consecutive.
    return first && this.#entries[revision - first.revision]?.changes;
  }
}

function areSame(a: readonly EtcdChange[], b: readonly EtcdChange[]): boolean {
  return a.length === b.length && a.every((change, i) => isSame(change, b[i]));
}

function isSame(a: EtcdChange, b: EtcdChange | undefined): boolean {
  return b !== undefined && a.deleted === b.deleted && Buffer.compare(a.kv, b.kv) === 0;
}

function keyOf({ kv }: EtcdChange): string {
  return Buffer.from(readKeyValue(kv).key).toString("latin1");
}
