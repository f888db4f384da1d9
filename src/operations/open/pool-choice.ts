import { UsageError } from "../../errors.js";
import { quoted } from "../../quoted.js";
import type { CephCluster } from "../../sources/ceph/cluster.js";

export interface PoolChoice {
  /** Empty: all. */
  readonly includePools: readonly string[];
  readonly skipPools: readonly string[];
}

/**
 * The pools to back up: `includePools`, or all of the cluster, without `skipPools`. Throws UsageError, or CephError when
 * a cache tier hides objects of one of them.
 */
export async function choosePools(ceph: CephCluster, choice: PoolChoice): Promise<string[]> {
  const existing = await ceph.listPools();
  checkPoolsExist(existing, [...choice.includePools, ...choice.skipPools]);
  const named = choice.includePools.length > 0 ? [...new Set(choice.includePools)] : existing;
  const pools = named.filter((pool) => isCovered(pool, choice));
  await ceph.checkTiers(pools, "read");
  return pools;
}

/** Whether a pool would be chosen if it existed. */
export function isCovered(pool: string, { includePools, skipPools }: PoolChoice): boolean {
  return (includePools.length === 0 || includePools.includes(pool)) && !skipPools.includes(pool);
}

/** Throws UsageError when the cluster lacks one of the pools. */
export function checkPoolsExist(existing: readonly string[], wanted: readonly string[]): void {
  const missing = wanted.filter((pool) => !existing.includes(pool));
  if (missing.length === 0) return;
  const names = missing.map(quoted).join(", ");
  throw new UsageError(`the Ceph cluster has no pool ${names}`, {
    hint: `it has: ${existing.map(quoted).join(", ") || "none"}`,
  });
}
