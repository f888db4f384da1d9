import { StoreError } from "../../snapstore/errors.js";
import type { SnapStore } from "../../snapstore/store.js";
import { compareStreamNames, type StreamName } from "./stream-name.js";

/** One each ten seconds for a year and a half, or one a second for two months. A listing holds them in 220 MB. */
export const MAX_LISTED_DELTAS = 5_000_000;

/** Bounds what a listing of a store holds of deltas. */
export class DeltaLimit {
  readonly #store: SnapStore;
  readonly #limit: number;
  #oldest: StreamName | undefined;

  constructor(store: SnapStore, limit: number) {
    this.#store = store;
    this.#limit = limit;
  }

  allows(count: number): boolean {
    return count <= this.#limit;
  }

  /**
   * Throws STORE_OVERFLOW, with what can still be done, unless so much can be held.
   *
   * @param stream that was listed last
   */
  check(count: number, stream: StreamName): void {
    if (this.#oldest === undefined || compareStreamNames(stream, this.#oldest) < 0) {
      this.#oldest = stream;
    }
    if (this.allows(count)) return;
    const message = `it lists more than ${this.#limit.toLocaleString("en")} deltas of etcd`;
    throw new StoreError("STORE_OVERFLOW", message, {
      store: this.#store.name,
      hint: `backuptool prune deletes what retention does not keep, and backuptool snapshot delete ${this.#oldest.text} an old stream`,
    });
  }
}
