import { hash } from "node:crypto";

const FIRST_SLOTS = 1024;
const DIGEST_WORDS = 4;
/** Slots are at most three quarters full. */
const most = (slots: number): number => slots - slots / 4;

/**
 * A number for each of many keys. A key takes 24 bytes whatever its length, in a table that is at least three eighths
 * full: 32 to 64 bytes a key, and half as much again while the table grows. Keys are told apart by the first 16 bytes of
 * their SHA-256.
 */
export class KeyTable {
  #slots = FIRST_SLOTS;
  #digests = new Uint32Array(FIRST_SLOTS * DIGEST_WORDS);
  /** 0 in an empty slot, else the number and 1. */
  #values = new Float64Array(FIRST_SLOTS);
  #size = 0;
  readonly #digest = new Uint32Array(DIGEST_WORDS);

  get size(): number {
    return this.#size;
  }

  get(key: Uint8Array): number | undefined {
    const value = this.#values[this.#find(key)] ?? 0;
    return value === 0 ? undefined : value - 1;
  }

  /**
   * @param value from 0, below 2^53 - 1
   * @returns the value before
   */
  set(key: Uint8Array, value: number): number | undefined {
    let slot = this.#find(key);
    const before = this.#values[slot] ?? 0;
    if (before === 0) {
      if (++this.#size > most(this.#slots)) {
        this.#grow();
        slot = this.#slotOf(this.#digest, 0);
      }
      this.#digests.set(this.#digest, slot * DIGEST_WORDS);
    }
    this.#values[slot] = value + 1;
    return before === 0 ? undefined : before - 1;
  }

  /** @returns the value before */
  delete(key: Uint8Array): number | undefined {
    let hole = this.#find(key);
    const before = this.#values[hole] ?? 0;
    if (before === 0) return undefined;
    this.#size--;
    // Keys behind the hole that would no longer be found move into it.
    const mask = this.#slots - 1;
    for (let slot = (hole + 1) & mask; (this.#values[slot] ?? 0) !== 0; slot = (slot + 1) & mask) {
      const home = (this.#digests[slot * DIGEST_WORDS] ?? 0) & mask;
      if (((slot - home) & mask) < ((slot - hole) & mask)) continue;
      this.#digests.copyWithin(hole * DIGEST_WORDS, slot * DIGEST_WORDS, (slot + 1) * DIGEST_WORDS);
      this.#values[hole] = this.#values[slot] ?? 0;
      hole = slot;
    }
    this.#values[hole] = 0;
    return before - 1;
  }

  /** In no order. */
  *values(): Generator<number, void, void> {
    for (const value of this.#values) if (value !== 0) yield value - 1;
  }

  /** The slot of the key, or the empty one where it belongs. */
  #find(key: Uint8Array): number {
    const digest = hash("sha256", key, "binary");
    for (let word = 0; word < DIGEST_WORDS; word++) {
      const at = word * 4;
      this.#digest[word] =
        digest.charCodeAt(at) |
        (digest.charCodeAt(at + 1) << 8) |
        (digest.charCodeAt(at + 2) << 16) |
        (digest.charCodeAt(at + 3) << 24);
    }
    return this.#slotOf(this.#digest, 0);
  }

  #slotOf(digests: Uint32Array, from: number): number {
    const own = this.#digests;
    const mask = this.#slots - 1;
    let slot = (digests[from] ?? 0) & mask;
    for (; (this.#values[slot] ?? 0) !== 0; slot = (slot + 1) & mask) {
      const at = slot * DIGEST_WORDS;
      if (
        own[at] === digests[from] &&
        own[at + 1] === digests[from + 1] &&
        own[at + 2] === digests[from + 2] &&
        own[at + 3] === digests[from + 3]
      ) {
        return slot;
      }
    }
    return slot;
  }

  #grow(): void {
    const digests = this.#digests;
    const values = this.#values;
    this.#slots *= 2;
    this.#digests = new Uint32Array(this.#slots * DIGEST_WORDS);
    this.#values = new Float64Array(this.#slots);
    for (const [old, value] of values.entries()) {
      if (value === 0) continue;
      const from = old * DIGEST_WORDS;
      const slot = this.#slotOf(digests, from);
      this.#digests.set(digests.subarray(from, from + DIGEST_WORDS), slot * DIGEST_WORDS);
      this.#values[slot] = value;
    }
  }
}
