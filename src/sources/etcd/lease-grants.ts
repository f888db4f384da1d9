import type { EtcdConnection } from "./connection.js";
import { EtcdError } from "./errors.js";
import { LEASE_GRANT } from "./rpc.js";

/** New leases for those in the backup: one for each, granted when its first record is put. Ids are decimal. */
export class LeaseGrants {
  readonly #connection: EtcdConnection;
  readonly #ttls: ReadonlyMap<bigint, number>;
  readonly #signal: AbortSignal;
  readonly #granted = new Map<bigint, Promise<string>>();

  /** @param ttls granted TTL, seconds, by the lease's id in the backup */
  constructor(connection: EtcdConnection, ttls: ReadonlyMap<bigint, number>, signal: AbortSignal) {
    this.#connection = connection;
    this.#ttls = ttls;
    this.#signal = signal;
  }

  /** Id of the new lease in place of `lease`. */
  idFor(lease: bigint): Promise<string> {
    let id = this.#granted.get(lease);
    if (id === undefined) {
      id = this.#grant(lease);
      this.#granted.set(lease, id);
    }
    return id;
  }

  /** Drops the new lease `id`, which has expired: the next record is granted another. */
  async forget(lease: bigint, id: string): Promise<void> {
    const granted = this.#granted.get(lease);
    if ((await granted) === id && this.#granted.get(lease) === granted) {
      this.#granted.delete(lease);
    }
  }

  async #grant(lease: bigint): Promise<string> {
    const ttl = this.#ttls.get(lease);
    if (ttl === undefined) {
      throw new EtcdError("ETCD_LEASE_GONE", `etcd: the backup has no lease ${lease.toString(16)}`);
    }
    // The server chooses the id.
    const { ID = "0" } = await this.#connection.call(
      LEASE_GRANT,
      { TTL: ttl },
      { signal: this.#signal },
    );
    return ID;
  }
}
