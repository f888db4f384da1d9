import type { EtcdConnection } from "./connection.js";
import { EtcdError } from "./errors.js";
import { decodeLeaseGrant, encodeLeaseGrant } from "./lease-messages.js";

/** New leases in place of those in the backup: one for each, granted when its first record is put. */
export class LeaseGrants {
  readonly #connection: EtcdConnection;
  readonly #ttls: ReadonlyMap<bigint, number>;
  readonly #signal: AbortSignal;
  readonly #granted = new Map<bigint, Promise<bigint>>();

  /** @param ttls granted TTL, seconds, by the lease's id in the backup */
  constructor(connection: EtcdConnection, ttls: ReadonlyMap<bigint, number>, signal: AbortSignal) {
    this.#connection = connection;
    this.#ttls = ttls;
    this.#signal = signal;
  }

  /** Id of the new lease in place of `lease`. */
  idFor(lease: bigint): Promise<bigint> {
    let id = this.#granted.get(lease);
    if (id === undefined) {
      id = this.#grant(lease);
      this.#granted.set(lease, id);
    }
    return id;
  }

  /** The new lease `id` has expired: the next record gets another. */
  async forget(lease: bigint, id: bigint): Promise<void> {
    const granted = this.#granted.get(lease);
    if ((await granted) === id && this.#granted.get(lease) === granted) {
      this.#granted.delete(lease);
    }
  }

  async #grant(lease: bigint): Promise<bigint> {
    const ttl = this.#ttls.get(lease);
    if (ttl === undefined) {
      throw new EtcdError("ETCD_LEASE_GONE", `etcd: the backup has no lease ${lease.toString(16)}`);
    }
    const request = encodeLeaseGrant(ttl);
    const answer = await this.#connection.call("Lease/LeaseGrant", request, {
      signal: this.#signal,
    });
    return decodeLeaseGrant(answer);
  }
}
