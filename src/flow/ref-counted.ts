/** Memory with several holders, reused once all of them have released it. The creator is the first holder. */
export class RefCounted {
  #holders = 1;
  readonly #recycle: () => void;

  /** @param recycle called once, by the last release */
  constructor(recycle: () => void) {
    this.#recycle = recycle;
  }

  /** Adds a holder, which must call `release`. */
  retain(): void {
    this.#holders++;
  }

  release(): void {
    if (--this.#holders === 0) this.#recycle();
  }
}
