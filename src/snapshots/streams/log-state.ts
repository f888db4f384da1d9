import { changesDigest } from "../../archive/delta/changes-digest.js";
import type { DeltaHead } from "../../archive/delta/delta-head.js";
import type { ArchivedChange, ArchivedRevision } from "../../archive/delta/revision.js";
import { damaged } from "../../archive/errors.js";
import { LogError } from "./log-errors.js";

/** What is known of the raw snapshot that a log is read after. */
export interface LogAnchor {
  /**
   * Digest of the changes of its revision. Where etcd was compacted at that revision, of those that are left: if no key was
   * deleted in it, they are all.
   */
  readonly digest?: Uint8Array | undefined;
  /** Whether changes of its revision may be missing in the digest. */
  readonly isCompacted?: boolean | undefined;
  /** Name of the stream whose base it is, where it is one: without a whole digest, that stream may go on for it unproven. */
  readonly stream?: string | undefined;
  /** Of the etcd cluster, hexadecimal. */
  readonly clusterId?: string | undefined;
}

/** A delta of which revisions are about to be read. */
export interface NextDelta {
  /** Name of the stream. */
  readonly stream: string;
  /** Its place, for messages. */
  readonly file: string;
  readonly head: DeltaHead;
}

/** Where a log has been read up to, and what the next delta must follow. */
export class LogState {
  /** The next revision. */
  next: number;
  /** What was read last. */
  at: { readonly stream: string; readonly seenMs: number } | undefined;
  readonly #anchor: LogAnchor | undefined;
  #clusterId: string | undefined;
  /** The changes of the last revision: their digest is needed at joints alone. */
  #changes: readonly ArchivedChange[] | undefined;

  constructor(after: number, anchor?: LogAnchor) {
    this.next = after + 1;
    this.#anchor = anchor;
    this.#clusterId = anchor?.clusterId;
  }

  /**
   * Throws LogError, or DAMAGED within a stream, unless a delta is known to follow. One that begins with an earlier
   * revision is checked by {@link checkOverlap}.
   */
  checkHead(delta: NextDelta): void {
    const { head, file } = delta;
    if (this.#clusterId !== undefined && head.clusterId !== this.#clusterId) {
      const what = `of etcd cluster ${head.clusterId}, not ${this.#clusterId}`;
      if (this.at?.stream === delta.stream) throw damaged(`it is ${what}`, { file });
      throw new LogError("LOG_FORK", this.next, `${file} is ${what}`);
    }
    if (head.first < this.next) return;
    const known = this.#digest();
    if (known !== undefined && head.before !== null) {
      if (Buffer.compare(known, head.before) === 0) return;
      if (!this.#isPartlyKnown) throw this.#fork(delta);
    }
    if (this.#isTrustedStart(delta.stream)) return;
    throw this.#unproven(file, head.before === null ? "its writer did not see" : undefined);
  }

  /** Checks a revision of the next delta that was read before, or is older. */
  checkOverlap(delta: NextDelta, revision: ArchivedRevision): void {
    if (revision.revision !== this.next - 1) return;
    const { changes } = revision;
    const known = this.#digest();
    if (known?.equals(changesDigest(changes))) return;
    if (known !== undefined && !this.#isPartlyKnown) throw this.#fork(delta);
    // A compaction removes deletions, and leaves what the last revision has put.
    const puts = changes.filter(({ deleted }) => !deleted);
    if (known?.equals(changesDigest(puts))) return;
    if (!this.#isTrustedStart(delta.stream)) throw this.#unproven(delta.file);
  }

  /** Before revisions are handed on, of which there is one at least. Throws DAMAGED. */
  advance({ stream, file, head }: NextDelta, revisions: readonly ArchivedRevision[]): void {
    const [first, last] = [revisions[0], revisions.at(-1)];
    if (first === undefined || last === undefined) return;
    if (this.at?.stream === stream && first.seenMs < this.at.seenMs) {
      throw damaged(`the time of revision ${first.revision} goes back`, { file });
    }
    this.#clusterId = head.clusterId;
    this.#changes = last.changes;
    this.next = last.revision + 1;
    this.at = { stream, seenMs: last.seenMs };
  }

  /**
   * Whether a log may begin here without proof: not all changes before it are known, and the base is the stream's own; or the
   * caller did not name one.
   */
  #isTrustedStart(stream: string): boolean {
    if (this.#changes !== undefined) return false;
    if (this.#anchor === undefined) return true;
    const { stream: own, digest } = this.#anchor;
    return own === stream && (digest === undefined || this.#isPartlyKnown);
  }

  /** Whether the last revision is that of a base from which a compaction has removed changes. */
  get #isPartlyKnown(): boolean {
    return this.#changes === undefined && this.#anchor?.isCompacted === true;
  }

  #digest(): Buffer | undefined {
    if (this.#changes !== undefined) return changesDigest(this.#changes);
    const digest = this.#anchor?.digest;
    return digest && Buffer.from(digest);
  }

  #unproven(file: string, why = "not enough is known of"): LogError {
    const message = `nothing shows that ${file} follows: ${why} the changes of revision ${this.next - 1}`;
    return new LogError("LOG_UNPROVEN", this.next, message);
  }

  #fork({ stream, file }: NextDelta): Error {
    const before = this.next - 1;
    if (this.at?.stream === stream) {
      return damaged(`it does not follow the changes of revision ${before}`, { file });
    }
    const other = this.at?.stream ?? "the base";
    const message = `${file} follows other changes of revision ${before} than ${other} has`;
    return new LogError("LOG_FORK", this.next, message, {
      hint: "etcd was restored to an earlier state in between, or one of the two is of another cluster",
    });
  }
}
