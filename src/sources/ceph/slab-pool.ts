import { RefCounted } from "../../flow/ref-counted.js";

/** Memory of one group of reads: the largest object that is read whole. */
export const SLAB_BYTES = 4 << 20;

/** Shared memory for the data of several objects, each of which retains it. */
export class Slab extends RefCounted {
  readonly memory: SharedArrayBuffer;
  readonly bytes: Uint8Array;

  constructor(memory: SharedArrayBuffer, recycle: () => void) {
    super(recycle);
    this.memory = memory;
    this.bytes = new Uint8Array(memory);
  }
}

/** Reuses slabs. */
export class SlabPool {
  readonly #limit: number;
  readonly #onFree: () => void;
  readonly #free: SharedArrayBuffer[] = [];
  #used = 0;

  /** @param onFree called whenever a slab comes back */
  constructor(limit: number, onFree: () => void) {
    this.#limit = limit;
    this.#onFree = onFree;
  }

  /** Whether fewer slabs than the limit are in use. */
  get isFree(): boolean {
    return this.#used < this.#limit;
  }

  /** A slab, beyond the limit if need be. */
  take(): Slab {
    this.#used++;
    const memory = this.#free.pop() ?? new SharedArrayBuffer(SLAB_BYTES);
    return new Slab(memory, () => {
      this.#used--;
      if (this.#free.length + this.#used < this.#limit) this.#free.push(memory);
      this.#onFree();
    });
  }
}
