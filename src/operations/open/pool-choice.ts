import { UsageError } from "../../errors.js";
import { quoted } from "../../quoted.js";
import type { CephCluster } from "../../sources/ceph/cluster.js";

/**
 * The pools to back up: all of `includePools`, or all there are, less `skipPools`. Throws UsageError, and CephError when
 * one of them cannot be read whole.
 */
export async function choosePools(
  ceph: CephCluster,
  options: { includePools: readonly string[]; skipPools: readonly string[] },
): Promise<string[]> {
  const existing = await ceph.listPools();
  requirePools(existing, [...options.includePools, ...options.skipPools]);
  const named = options.includePools.length > 0 ? [...new Set(options.includePools)] : existing;
  const pools = named.filter(covers(options));
  await ceph.requireNoTiers(pools, "read");
  return pools;
}

/** Whether a pool would be chosen, were it there. */
export function covers({
  includePools,
  skipPools,
}: {
  includePools: readonly string[];
  skipPools: readonly string[];
}): (pool: string) => boolean {
  return (pool) =>
    (includePools.length === 0 || includePools.includes(pool)) && !skipPools.includes(pool);
}

/** Throws UsageError when the cluster has no pool of one of these names. */
export function requirePools(existing: readonly string[], wanted: readonly string[]): void {
  const missing = wanted.filter((pool) => !existing.includes(pool));
  if (missing.length === 0) return;
  const names = missing.map(quoted).join(", ");
  throw new UsageError(`the Ceph cluster has no pool ${names}`, {
    hint: `it has: ${existing.map(quoted).join(", ") || "none"}`,
  });
}
