import type { EtcdLease } from "../../types.js";
import type { EtcdDatabase } from "../database.js";
import { KeyTable } from "../key-table.js";
import type { KeyValueFields } from "../key-value.js";
import { LeaseIds } from "../lease-ids.js";

/**
 * The leases that a written database needs beside those of its base. A key whose lease is missing never expires, and a
 * put that keeps its lease ends the server, again after each start.
 */
export class LeasePlan {
  readonly #ofBase: LeaseIds;
  readonly #known: Map<bigint, number>;
  readonly #added = new Map<bigint, number>();
  /** Keys whose lease is missing so far, with its index in `#missing`. */
  readonly #keys = new KeyTable();
  readonly #missing: bigint[] = [];
  readonly #indexes = new Map<bigint, number>();

  private constructor(ofBase: LeaseIds, known: ReadonlyMap<bigint, number>) {
    this.#ofBase = ofBase;
    this.#known = new Map(known);
  }

  /** @param known granted TTLs in seconds of leases that are added where a key has them */
  static async of(
    base: EtcdDatabase,
    known: ReadonlyMap<bigint, number>,
    signal: AbortSignal,
  ): Promise<LeasePlan> {
    return new LeasePlan(await LeaseIds.of(base, signal), known);
  }

  /** Adds a lease, whether a key has it at the end or not. */
  add({ id, grantedTtl }: EtcdLease): void {
    this.#added.set(id, grantedTtl);
  }

  /** Takes note of the next change. */
  change(kv: KeyValueFields, deleted: boolean): void {
    const isMissing = !deleted && kv.hasLease && !this.#ofBase.has(kv.leaseHigh, kv.leaseLow);
    if (isMissing && !this.#added.has(kv.lease)) this.#keys.set(kv.key, this.#indexOf(kv.lease));
    else if (this.#keys.size > 0) this.#keys.delete(kv.key);
  }

  /**
   * All leases to add, with a TTL for those that nothing is known of.
   *
   * @param unknownTtl seconds
   */
  finish(unknownTtl: number): { leases: EtcdLease[]; unknown: number } {
    let unknown = 0;
    for (const index of new Set(this.#keys.values())) {
      const id = this.#missing[index] ?? 0n;
      if (this.#added.has(id)) continue;
      const known = this.#known.get(id);
      if (known === undefined) unknown++;
      this.#added.set(id, known ?? unknownTtl);
    }
    const leases = [...this.#added].map(([id, grantedTtl]) => ({ id, grantedTtl }));
    return { leases, unknown };
  }

  #indexOf(id: bigint): number {
    const index = this.#indexes.get(id) ?? this.#missing.push(id) - 1;
    this.#indexes.set(id, index);
    return index;
  }
}
