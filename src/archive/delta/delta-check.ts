import { ArchiveError, damaged } from "../errors.js";
import { changesDigest } from "./changes-digest.js";
import type { DeltaHead } from "./delta-head.js";
import type { ArchivedRevision } from "./revision.js";

/** Checks the revisions of a delta against its head and its name. Throws DAMAGED and DOES_NOT_BELONG. */
export class DeltaCheck {
  readonly #head: DeltaHead;
  readonly #file: string;
  readonly #time: number;
  #next: number;
  #seenMs = 0;
  #last: ArchivedRevision | undefined;

  /** @param time when the last revision was seen by the name of the file, seconds since 1970 */
  constructor(head: DeltaHead, file: string, time: number) {
    this.#head = head;
    this.#file = file;
    this.#time = time;
    this.#next = head.first;
  }

  revision(revision: ArchivedRevision): void {
    const { revision: number, seenMs } = revision;
    if (number !== this.#next || number > this.#head.last) {
      throw this.damage(`revision ${number} is not the next one`);
    }
    if (seenMs < this.#seenMs) throw this.damage(`the time of revision ${number} goes back`);
    this.#next++;
    this.#seenMs = seenMs;
    this.#last = revision;
  }

  end(): void {
    const { last, after } = this.#head;
    if (this.#last === undefined || this.#next <= last) {
      throw this.damage(`it ends before revision ${last}`);
    }
    if (Math.floor(this.#seenMs / 1000) !== this.#time) {
      const message = `revision ${last} was seen at another time than its name says`;
      throw new ArchiveError("DOES_NOT_BELONG", message, { file: this.#file });
    }
    if (!changesDigest(this.#last.changes).equals(after)) {
      throw this.damage(`the digest of revision ${last} is not that of its changes`);
    }
  }

  damage(message: string): ArchiveError {
    return damaged(message, { file: this.#file });
  }
}
