import type { EtcdDatabase } from "./database.js";

/** The ids of a database's leases: 8 bytes each. */
export class LeaseIds {
  /** In ascending order: the upper halves, and the lower ones. */
  readonly #high: Uint32Array;
  readonly #low: Uint32Array;

  private constructor(high: Uint32Array, low: Uint32Array) {
    this.#high = high;
    this.#low = low;
  }

  /** @throws EtcdFileError, InterruptedError */
  static async of(database: EtcdDatabase, signal: AbortSignal): Promise<LeaseIds> {
    let high = new Uint32Array(1024);
    let low = new Uint32Array(1024);
    let count = 0;
    for await (const batch of database.leases(signal)) {
      for (const { id } of batch) {
        if (count === high.length) {
          high = grown(high);
          low = grown(low);
        }
        high[count] = Number(BigInt.asUintN(64, id) >> 32n);
        low[count++] = Number(BigInt.asUintN(32, id));
      }
    }
    return new LeaseIds(high.subarray(0, count), low.subarray(0, count));
  }

  /** @param high the upper 32 bits of the id */
  has(high: number, low: number): boolean {
    let from = 0;
    let to = this.#high.length - 1;
    while (from <= to) {
      const middle = (from + to) >> 1;
      const highThere = this.#high[middle] ?? 0;
      const lowThere = this.#low[middle] ?? 0;
      if (highThere === high && lowThere === low) return true;
      if (highThere < high || (highThere === high && lowThere < low)) from = middle + 1;
      else to = middle - 1;
    }
    return false;
  }
}

function grown(numbers: Uint32Array): Uint32Array<ArrayBuffer> {
  const twice = new Uint32Array(numbers.length * 2);
  twice.set(numbers);
  return twice;
}
