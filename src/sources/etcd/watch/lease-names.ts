import type { EtcdConnection } from "../connection.js";
import type { EtcdRevision } from "../history.js";
import { readLeases } from "../leases.js";
import type { EtcdLease } from "../types.js";
import type { RevisionGroup } from "./revision-groups.js";

/** Ids that are remembered; then all are asked for again. */
const MAX_NAMES = 100_000;

/** Adds leases to the revisions whose changes are the first to name them: events have the id only. */
export class LeaseNames {
  readonly #connection: EtcdConnection;
  readonly #named = new Set<bigint>();

  constructor(connection: EtcdConnection) {
    this.#connection = connection;
  }

  /** Names all leases again. */
  forget(): void {
    this.#named.clear();
  }

  async addTo(
    groups: readonly RevisionGroup[],
    seenMs: number,
    signal: AbortSignal,
  ): Promise<EtcdRevision[]> {
    const asked = new Set<bigint>();
    for (const { events } of groups) {
      for (const { lease } of events) if (lease !== 0n && !this.#named.has(lease)) asked.add(lease);
    }
    // A lease that is gone may be granted again with the same id, so it is not remembered.
    const living = asked.size > 0 ? await readLeases(this.#connection, asked, signal) : [];
    const left = new Map(living.map((lease) => [lease.id, lease]));
    if (this.#named.size > MAX_NAMES) this.forget();
    return groups.map(({ revision, events }) => {
      const leases: EtcdLease[] = [];
      for (const { lease: id } of events) {
        const lease = left.get(id);
        if (lease === undefined) continue;
        left.delete(id);
        this.#named.add(id);
        leases.push(lease);
      }
      const changes = events.map(({ deleted, kv }) => ({ deleted, kv }));
      return { revision, seenMs, changes, leases };
    });
  }
}
