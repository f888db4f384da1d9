import { changesDigest } from "../../archive/delta/changes-digest.js";
import type { DeltaHead } from "../../archive/delta/delta-head.js";
import type { ArchivedChange, ArchivedRevision } from "../../archive/delta/revision.js";
import { damaged } from "../../archive/errors.js";
import { LogError } from "./log-errors.js";

/** What is known of the raw snapshot that a log is read after. */
export interface LogAnchor {
  /** Digest of the changes of its revision, unless etcd had compacted some of them. */
  readonly digest?: Uint8Array | undefined;
  /** Name of the stream whose base it is, where it is one: without a digest, that stream alone may go on for it. */
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
  readonly #anchor: LogAnchor;
  #clusterId: string | undefined;
  /** The changes of the last revision: their digest is needed at joints alone. */
  #changes: readonly ArchivedChange[] | undefined;

  constructor(after: number, anchor: LogAnchor) {
    this.next = after + 1;
    this.#anchor = anchor;
    this.#clusterId = anchor.clusterId;
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
      throw this.#fork(delta);
    }
    if (this.#isTrustedStart(delta.stream)) return;
    const why = head.before === null ? "its writer did not see" : "nothing is known of";
    const message = `nothing shows that ${file} follows: ${why} the changes of revision ${this.next - 1}`;
    throw new LogError("LOG_UNPROVEN", this.next, message);
  }

  /** Checks a revision of the next delta that was read before, or is older. */
  checkOverlap(delta: NextDelta, revision: ArchivedRevision): void {
    if (revision.revision !== this.next - 1) return;
    const known = this.#digest();
    if (known === undefined) {
      if (this.#isTrustedStart(delta.stream)) return;
      const message = `nothing shows that ${delta.file} follows: nothing is known of the changes of revision ${this.next - 1}`;
      throw new LogError("LOG_UNPROVEN", this.next, message);
    }
    if (changesDigest(revision.changes).compare(known) !== 0) throw this.#fork(delta);
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
   * Whether a log may begin here without proof: nothing is known of the changes before it, and the base is the stream's own,
   * or the caller did not name one.
   */
  #isTrustedStart(stream: string): boolean {
    const { stream: own, digest } = this.#anchor;
    if (this.#changes !== undefined || digest !== undefined) return false;
    return own === undefined || own === stream;
  }

  #digest(): Uint8Array | undefined {
    return this.#changes === undefined ? this.#anchor.digest : changesDigest(this.#changes);
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
