import { inParallel } from "../../flow/in-parallel.js";
import type { EtcdConnection } from "./connection.js";
import { LEASE_TIME_TO_LIVE } from "./rpc.js";
import type { EtcdLease } from "./types.js";

const LEASES_AT_ONCE = 16;

/** The granted times of those leases that still live, by id. */
export async function readLeases(
  connection: EtcdConnection,
  ids: Iterable<bigint>,
  signal: AbortSignal,
): Promise<EtcdLease[]> {
  const found: EtcdLease[] = [];
  await inParallel(ids, LEASES_AT_ONCE, async (id) => {
    const answer = await connection.call(LEASE_TIME_TO_LIVE, { ID: `${id}` }, { signal });
    // TTL is -1 once the lease is gone.
    const [left, grantedTtl] = [Number(answer.TTL ?? 0), Number(answer.grantedTTL ?? 0)];
    if (left >= 0 && grantedTtl > 0) found.push({ id, grantedTtl });
  });
  return found.sort((a, b) => (a.id < b.id ? -1 : 1));
}
