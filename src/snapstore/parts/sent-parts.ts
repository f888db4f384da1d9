/** What of an upload has arrived, where parts come in any order. */
export class SentParts<T> {
  readonly #partBytes: number;
  readonly #parts = new Map<number, { length: number; receipt: T }>();

  /** @param partBytes bytes of each part but the last */
  constructor(partBytes: number) {
    this.#partBytes = partBytes;
  }

  get size(): number {
    return this.#parts.size;
  }

  /** @param receipt what the store knows it by */
  set(number: number, length: number, receipt: T): void {
    this.#parts.set(number, { length, receipt });
  }

  /** The receipts of all parts, in order; undefined when parts are missing or are not whole. */
  receipts(facts: { parts: number; size: number }): T[] | undefined {
    const receipts: T[] = [];
    for (let number = 0; number < facts.parts; number++) {
      const part = this.#parts.get(number);
      const length = Math.min(this.#partBytes, facts.size - number * this.#partBytes);
      if (part === undefined || part.length !== length) return undefined;
      receipts.push(part.receipt);
    }
    return facts.size > facts.parts * this.#partBytes ? undefined : receipts;
  }
}
