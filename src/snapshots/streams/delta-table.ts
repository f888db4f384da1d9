import { MAX_DELTAS } from "../../archive/format.js";
import { type DeltaName, deltaName } from "./delta-name.js";

/** A delta in the listing of a store. */
export interface ListedDelta extends DeltaName {
  /** Size of the file. */
  readonly bytes: number;
}

/** Numbers of each delta. */
const COLUMNS = 5;

/** The deltas of a stream in the order of their numbers, with 40 bytes of memory for each. */
export class DeltaTable {
  #rows = new Float64Array(16 * COLUMNS);
  #length = 0;
  /** The order of the rows, unless they came in it. */
  #order: Uint32Array | undefined;
  /** Whether there were more than the format allows; the table lacks those. */
  overflows = false;
  /** Size of all files. */
  bytes = 0;

  get length(): number {
    return this.#length;
  }

  /** The last one; undefined without any. */
  get newest(): ListedDelta | undefined {
    return this.#length === 0 ? undefined : this.at(this.#length - 1);
  }

  add({ number, first, last, time, bytes }: ListedDelta): void {
    if (this.#length === MAX_DELTAS) {
      this.overflows = true;
      return;
    }
    const at = this.#length * COLUMNS;
    if (at === this.#rows.length) {
      const grown = new Float64Array(Math.max(16 * COLUMNS, this.#rows.length * 2));
      grown.set(this.#rows);
      this.#rows = grown;
    }
    this.#rows.set([number, first, last, time, bytes], at);
    this.#length++;
    this.bytes += bytes;
    this.#order = undefined;
  }

  /** Sorts the deltas, and frees what more deltas would need. */
  end(): this {
    this.#rows = this.#rows.slice(0, this.#length * COLUMNS);
    const order = Uint32Array.from({ length: this.#length }, (_, i) => i);
    // Without `#order` yet, a place is that of the row.
    const compare = (a: number, b: number): number => compareDeltas(this.at(a), this.at(b));
    const sorted = order.every((_, i) => i === 0 || compare(i - 1, i) <= 0);
    if (!sorted) this.#order = order.sort(compare);
    return this;
  }

  /** The delta at a place from 0 to `length` - 1. */
  at(index: number): ListedDelta {
    const row = this.#order === undefined ? index : (this.#order[index] ?? 0);
    const [number = 0, first = 0, last = 0, time = 0, bytes = 0] = this.#rows.subarray(
      row * COLUMNS,
      (row + 1) * COLUMNS,
    );
    return { number, first, last, time, bytes };
  }

  /** The place of a delta with this name; undefined if it is not in the table. */
  indexOf(name: DeltaName): number | undefined {
    let [low, high] = [0, this.#length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compareDeltas(this.at(middle), name) < 0) low = middle + 1;
      else high = middle;
    }
    return low < this.#length && compareDeltas(this.at(low), name) === 0 ? low : undefined;
  }

  /** The deltas from a place on, up to the first that does not match. */
  *from(
    index: number,
    matches: (delta: ListedDelta) => boolean,
  ): Generator<ListedDelta, void, void> {
    for (let i = index; i < this.#length; i++) {
      const delta = this.at(i);
      if (!matches(delta)) return;
      yield delta;
    }
  }

  /** The names of the files, in the order of their numbers. */
  *names(): Generator<string, void, void> {
    for (const delta of this) yield deltaName(delta);
  }

  *[Symbol.iterator](): Generator<ListedDelta, void, void> {
    for (let i = 0; i < this.#length; i++) yield this.at(i);
  }
}

/** The order of a table; 0 only for the same name. */
export function compareDeltas(a: DeltaName, b: DeltaName): number {
  return a.number - b.number || a.first - b.first || a.last - b.last || a.time - b.time;
}
