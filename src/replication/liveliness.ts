import { MeteredStore } from "../snapstore/metered.js";
import type { SnapStore } from "../snapstore/store.js";

/** Whether a store still gets anywhere: how long ago a call of it last succeeded. */
export class Liveliness {
  readonly store: MeteredStore;
  #seen = 0;
  #at = performance.now();

  constructor(store: SnapStore) {
    this.store = new MeteredStore(store);
  }

  /** Milliseconds since a call succeeded, seen by who asks often. */
  get silentMs(): number {
    const counts = Object.values(this.store.counts);
    const ended = counts.reduce(
      (sum, { milliseconds, bytesOut }) => sum + milliseconds + bytesOut,
      0,
    );
    if (ended !== this.#seen) {
      this.#seen = ended;
      this.#at = performance.now();
    }
    return performance.now() - this.#at;
  }
}
