import { KeyTable } from "../file/key-table.js";

/** A lease with keys. */
interface Holder {
  readonly lease: bigint;
  keys: number;
}

/**
 * Which leases have had a key ever since they were first given here. etcd deletes the keys of a lease that ends, so such a
 * lease is the same as then; without a key it may have ended, and another one been granted under its id.
 */
export class LeaseHolders {
  readonly #keys = new KeyTable();
  readonly #indexes = new Map<bigint, number>();
  readonly #holders = new Map<number, Holder>();
  #next = 0;

  /** Keys with a lease. */
  get size(): number {
    return this.#keys.size;
  }

  has(lease: bigint): boolean {
    return this.#indexes.has(lease);
  }

  /** A key was put. @param lease 0n: none */
  put(key: Uint8Array, lease: bigint): void {
    if (lease === 0n) {
      this.delete(key);
      return;
    }
    const index = this.#indexOf(lease);
    const before = this.#keys.set(key, index);
    if (before === index) return;
    const holder = this.#holders.get(index);
    if (holder !== undefined) holder.keys++;
    this.#lose(before);
  }

  /** A key was deleted. */
  delete(key: Uint8Array): void {
    if (this.#keys.size > 0) this.#lose(this.#keys.delete(key));
  }

  /** Forgets a lease, whatever keys it has. */
  drop(lease: bigint): void {
    const index = this.#indexes.get(lease);
    if (index === undefined) return;
    this.#indexes.delete(lease);
    this.#holders.delete(index);
  }

  #indexOf(lease: bigint): number {
    const known = this.#indexes.get(lease);
    if (known !== undefined) return known;
    const index = this.#next++;
    this.#indexes.set(lease, index);
    this.#holders.set(index, { lease, keys: 0 });
    return index;
  }

  /** A holder loses a key; one that was dropped is none any more. */
  #lose(index: number | undefined): void {
    const holder = index === undefined ? undefined : this.#holders.get(index);
    if (holder !== undefined && --holder.keys === 0) this.drop(holder.lease);
  }
}
