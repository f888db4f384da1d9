/** Memory of one group of reads: as much as the largest object that is read whole. */
export const SLAB_BYTES = 4 << 20;

/** Shared memory for many objects, free again when the last of them is released. */
export class Slab {
  readonly memory: SharedArrayBuffer;
  readonly bytes: Uint8Array;
  readonly #freed: (memory: SharedArrayBuffer) => void;
  #holders = 1;

  constructor(memory: SharedArrayBuffer, freed: (memory: SharedArrayBuffer) => void) {
    this.memory = memory;
    this.bytes = new Uint8Array(memory);
    this.#freed = freed;
  }

  hold(): void {
    this.#holders++;
  }

  /** Once for whoever took the slab, and once for each `hold`. */
  release(): void {
    if (--this.#holders === 0) this.#freed(this.memory);
  }
}

/** Slabs that are used again and again. */
export class SlabPool {
  readonly #limit: number;
  readonly #onFree: () => void;
  readonly #kept: SharedArrayBuffer[] = [];
  #used = 0;

  /** @param onFree called whenever a slab comes back */
  constructor(limit: number, onFree: () => void) {
    this.#limit = limit;
    this.#onFree = onFree;
  }

  get free(): boolean {
    return this.#used < this.#limit;
  }

  /** A slab, also beyond the limit: `free` tells. */
  take(): Slab {
    this.#used++;
    const memory = this.#kept.pop() ?? new SharedArrayBuffer(SLAB_BYTES);
    return new Slab(memory, (back) => {
      this.#used--;
      if (this.#kept.length + this.#used < this.#limit) this.#kept.push(back);
      this.#onFree();
    });
  }
}
