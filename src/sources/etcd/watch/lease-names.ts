import type { EtcdConnection } from "../connection.js";
import type { EtcdRevision } from "../history.js";
import { readLeases } from "../leases.js";
import type { EtcdLease } from "../types.js";
import { LeaseHolders } from "./lease-holders.js";
import type { RevisionGroup } from "./revision-groups.js";

/** Leases and keys that are remembered; then all leases are asked for again. */
const MAX_NAMES = 100_000;
const MAX_KEYS = 200_000;

/** Adds leases to the revisions whose changes are the first to name them: events have the id only. */
export class LeaseNames {
  readonly #read: (ids: Iterable<bigint>, signal: AbortSignal) => Promise<EtcdLease[]>;
  /** Granted TTLs as they were named last, by the id. */
  readonly #named = new Map<bigint, number>();
  /** Leases that need not be asked for. */
  #holders = new LeaseHolders();

  constructor(connection: EtcdConnection, read: typeof readLeases = readLeases) {
    this.#read = (ids, signal) => read(connection, ids, signal);
  }

  /** Names all leases again. */
  forget(): void {
    this.#named.clear();
    this.#holders = new LeaseHolders();
  }

  async addTo(
    groups: readonly RevisionGroup[],
    seenMs: number,
    signal: AbortSignal,
  ): Promise<EtcdRevision[]> {
    const holders = this.#holders;
    const asked = groups.map(({ events }) => newLeases(events, holders));
    const ids = new Set(asked.flat());
    let living: EtcdLease[] = [];
    try {
      if (ids.size > 0) living = await this.#read(ids, signal);
    } catch (error) {
      // The same revisions come again.
      this.forget();
      throw error;
    }
    const left = new Map(living.map((lease) => [lease.id, lease]));
    // A lease that is gone may be granted again with the same id.
    for (const id of ids) if (!left.has(id)) holders.drop(id);
    if (this.#named.size > MAX_NAMES || holders.size > MAX_KEYS) this.forget();
    return groups.map(({ revision, events }, i) => {
      const leases = (asked[i] ?? []).flatMap((id) => {
        const lease = left.get(id);
        if (lease === undefined || this.#named.get(id) === lease.grantedTtl) return [];
        this.#named.set(id, lease.grantedTtl);
        return [lease];
      });
      const changes = events.map(({ deleted, kv }) => ({ deleted, kv }));
      return { revision, seenMs, changes, leases };
    });
  }
}

/** The leases of changes that may not be those that were asked for under their ids. */
function newLeases(events: RevisionGroup["events"], holders: LeaseHolders): bigint[] {
  const found: bigint[] = [];
  for (const { key, lease, deleted } of events) {
    if (deleted) holders.delete(key);
    else {
      if (lease !== 0n && !holders.has(lease)) found.push(lease);
      holders.put(key, lease);
    }
  }
  return found;
}
