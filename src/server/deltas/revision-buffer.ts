import { fitsDelta, revisionBytes } from "../../archive/delta/delta-revision.js";
import { BackupToolError } from "../../errors.js";
import type { EtcdRevision } from "../../sources/etcd/history.js";
import { LogBroken } from "./log-broken.js";

/** Consecutive revisions that are in no delta yet. */
export class RevisionBuffer {
  #revisions: EtcdRevision[] = [];
  #bytes = 0;
  #last: number;
  #sinceMs: number | undefined;

  /** @param after the last revision before those that will come */
  constructor(after: number) {
    this.#last = after;
  }

  /** The last revision that was added. */
  get last(): number {
    return this.#last;
  }

  /** The oldest revision that was not taken; undefined if there is none. */
  get first(): number | undefined {
    return this.#revisions[0]?.revision;
  }

  /** About the size of a delta with these revisions. */
  get bytes(): number {
    return this.#bytes;
  }

  /** When the oldest was added, ms of the caller's clock; undefined while there are none. */
  get sinceMs(): number | undefined {
    return this.#sinceMs;
  }

  /**
   * @throws ETCD_GAP for a revision that is not the one after the last: the log must not look whole then
   * @throws LogBroken for a revision that no delta can hold
   */
  add(revisions: readonly EtcdRevision[], nowMs: number): void {
    for (const revision of revisions) {
      if (revision.revision !== this.#last + 1) {
        throw new BackupToolError(
          "ETCD_GAP",
          `etcd sent revision ${revision.revision} after ${this.#last}`,
        );
      }
      if (!fitsDelta(revision)) {
        throw new LogBroken(`revision ${revision.revision} is too large for a delta`);
      }
      this.#last = revision.revision;
      this.#revisions.push(revision);
      this.#bytes += revisionBytes(revision);
      this.#sinceMs ??= nowMs;
    }
  }

  /** Removes and returns the oldest revisions: about `limit` bytes, and at least one revision if there is any. */
  take(limit: number): readonly EtcdRevision[] {
    let bytes = 0;
    let count = 0;
    for (const revision of this.#revisions) {
      const more = revisionBytes(revision);
      if (count > 0 && bytes + more > limit) break;
      bytes += more;
      count++;
    }
    const taken = this.#revisions.slice(0, count);
    this.#revisions = this.#revisions.slice(count);
    this.#bytes -= bytes;
    // Of what is left the exact time is not kept: the earlier one makes it leave sooner.
    if (this.#revisions.length === 0) this.#sinceMs = undefined;
    return taken;
  }
}
