import { FIRST_PAIRS, MAX_PAIRS } from "./pairs.js";
import { SLAB_BYTES } from "./slab-pool.js";

const MIN_DATA_LENGTH = 4 << 10;
const FIRST_DATA_LENGTH = 64 << 10;
export const MAX_DATA_LENGTH = SLAB_BYTES;
/** Decay of the attributes' size with each further object. */
const DECAY = 1 / 64;

/** How much to read of the next objects of a pool, learned from those before. */
export class ReadSizes {
  /** Bytes of data of an object. */
  dataLength = FIRST_DATA_LENGTH;
  /** Pairs of the omap of an object. */
  pairs = FIRST_PAIRS;
  /** Memory of the attributes of an object: the largest of the last ones. */
  attributes = 0;
  #meanSize: number | undefined;
  #meanPairs: number | undefined;

  /** Whether an object was read. */
  get isKnown(): boolean {
    return this.#meanSize !== undefined;
  }

  /** Twice the mean size covers most objects in one read, without much unused memory. */
  addSize(size: number): void {
    this.#meanSize = runningMean(this.#meanSize, size);
    const wanted = powerOfTwo(2 * this.#meanSize);
    this.dataLength = Math.min(MAX_DATA_LENGTH, Math.max(MIN_DATA_LENGTH, wanted));
  }

  /** Likewise with pairs. The estimate for attributes changes with the pairs to read. */
  addPairs(count: number): void {
    this.#meanPairs = runningMean(this.#meanPairs, count);
    const wanted = Math.min(MAX_PAIRS, Math.max(FIRST_PAIRS, powerOfTwo(2 * this.#meanPairs)));
    this.attributes *= wanted / this.pairs;
    this.pairs = wanted;
  }

  addAttributes(bytes: number): void {
    this.attributes = Math.max(bytes, this.attributes * (1 - DECAY));
  }
}

function runningMean(mean: number | undefined, value: number): number {
  return mean === undefined ? value : mean + (value - mean) / 64;
}

/** The smallest power of two that is not less than `value`. */
export function powerOfTwo(value: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(1, value)));
}
