import { changesDigest } from "../../archive/delta/changes-digest.js";
import type { DeltaHead } from "../../archive/delta/delta-head.js";
import type { ArchivedChange, ArchivedRevision } from "../../archive/delta/revision.js";
import { LogError } from "./log-errors.js";

/** What is known of the raw snapshot that a log is read after. */
export interface LogAnchor {
  /** Digest of the changes of its revision, unless etcd had compacted some of them. */
  readonly digest?: Uint8Array | undefined;
  /** Name of the stream whose base it is. */
  readonly stream?: string | undefined;
  /** Of the etcd cluster, hexadecimal. */
  readonly clusterId?: string | undefined;
}

/** Where a log has been read up to, and what the next delta must follow. */
export class LogState {
  /** The next revision. */
  next: number;
  /** What was read last, in a stream. */
  at: { readonly stream: string; readonly number: number } | undefined;
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
   * Throws LogError unless a delta is known to follow. One that begins with an earlier revision is checked by
   * {@link checkOverlap}.
   */
  checkHead(stream: string, number: number, head: DeltaHead): void {
    if (this.#clusterId !== undefined && head.clusterId !== this.#clusterId) {
      const message = `delta ${number} of ${stream} is of etcd cluster ${head.clusterId}, not ${this.#clusterId}`;
      throw new LogError("LOG_FORK", this.next, message);
    }
    if (head.first < this.next) return;
    const known = this.#digest();
    if (known !== undefined && head.before !== null) {
      if (Buffer.compare(known, head.before) === 0) return;
      throw this.#fork(stream, number);
    }
    if (this.#changes === undefined && this.#isTrustedStart(stream, number)) return;
    const why = head.before === null ? "its writer did not see" : "nothing is known of";
    const message = `nothing shows that delta ${number} of ${stream} follows: ${why} the changes of revision ${this.next - 1}`;
    throw new LogError("LOG_UNPROVEN", this.next, message);
  }

  /** Checks a revision of the next delta that was read before, or is older. */
  checkOverlap(stream: string, number: number, revision: ArchivedRevision): void {
    if (revision.revision !== this.next - 1) return;
    const known = this.#digest();
    if (known === undefined) {
      if (this.#isTrustedStart(stream, number)) return;
      const message = `nothing shows that ${stream} follows: nothing is known of the changes of revision ${this.next - 1}`;
      throw new LogError("LOG_UNPROVEN", this.next, message);
    }
    if (changesDigest(revision.changes).compare(known) !== 0) throw this.#fork(stream, number);
  }

  /** After revisions were handed on. */
  advance(stream: string, number: number, head: DeltaHead, last: ArchivedRevision): void {
    this.#clusterId = head.clusterId;
    this.#changes = last.changes;
    this.next = last.revision + 1;
    this.at = { stream, number };
  }

  /** Whether a log may begin here without proof: after the stream's own base, or where the caller has no base. */
  #isTrustedStart(stream: string, number: number): boolean {
    const { stream: own, digest } = this.#anchor;
    if (own !== undefined) return own === stream && number === 0;
    return digest === undefined;
  }

  #digest(): Uint8Array | undefined {
    return this.#changes === undefined ? this.#anchor.digest : changesDigest(this.#changes);
  }

  #fork(stream: string, number: number): LogError {
    const before = this.at === undefined ? "the base" : this.at.stream;
    const message = `delta ${number} of ${stream} follows other changes of revision ${this.next - 1} than ${before} has`;
    return new LogError("LOG_FORK", this.next, message, {
      hint: "etcd was restored to an earlier state in between, or one of the two is of another cluster",
    });
  }
}
