import { createHash } from "node:crypto";

/** Choices that are the same each time for the same seed. */
export class SeededChoice {
  readonly #seed: string;
  #block = Buffer.alloc(0);
  #at = 0;
  #count = 0;

  constructor(seed: string) {
    this.#seed = seed;
  }

  /** A whole number from 0 to `end` - 1. */
  below(end: number): number {
    if (this.#at + 6 > this.#block.length) {
      this.#block = createHash("sha256")
        .update(`${this.#seed} ${this.#count++}`)
        .digest();
      this.#at = 0;
    }
    const value = this.#block.readUIntBE(this.#at, 6);
    this.#at += 6;
    return value % end;
  }

  of<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }

  bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.below(256)));
  }
}
