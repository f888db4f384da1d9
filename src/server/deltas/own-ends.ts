import type { LogPosition } from "./stream-writer.js";

/**
 * Where the log in the stores can end as long as no other server writes it: with the last delta of this one that a store has,
 * or with one after it, whose put may have been done when the leadership ended.
 */
export class OwnEnds {
  #ends: LogPosition[] = [];

  /** The log goes on from here, or begins. */
  begin(position: LogPosition): void {
    this.#ends = [position];
  }

  /** A delta up to here is on its way to the stores. */
  sealed(position: LogPosition): void {
    this.#ends.push(position);
  }

  /** One of them has the delta that ends with this revision. */
  stored(last: number): void {
    // It can also be one of before the last base.
    const at = this.#ends.findIndex(({ revision }) => revision === last);
    if (at > 0) this.#ends.splice(0, at);
  }

  /** Whether a log that ends here is that of this server. */
  has({ revision, digest }: LogPosition): boolean {
    if (digest === undefined) return false;
    return this.#ends.some(
      (end) =>
        end.revision === revision &&
        end.digest !== undefined &&
        Buffer.compare(end.digest, digest) === 0,
    );
  }
}
