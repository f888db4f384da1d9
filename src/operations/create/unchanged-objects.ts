import type { BackupReader } from "../../archive/backup-reader.js";
import type { TableEntry } from "../../archive/index/object-table.js";
import type { CephCluster } from "../../sources/ceph/cluster.js";
import type { CephPool } from "../../sources/ceph/pool.js";
import type { StatBatch } from "../../sources/ceph/types.js";

/**
 * Whether object `i` of `stat` has the size, mtime and version of the base, so that an incremental leaves it out. Only for
 * a pool for which {@link isPoolOfBase} is true.
 */
export function isUnchanged(
  { size, mtime, version }: TableEntry,
  stat: StatBatch,
  i: number,
): boolean {
  return size === stat.size[i] && mtime === stat.mtime[i] && version === stat.version[i];
}

/**
 * Whether this is the pool that the base holds under its name, and not one that was created again: there, versions start
 * over, and a restore gives objects their old mtimes. In a cluster that was created again with its old fsid, pool ids
 * start over too; creation times do not.
 */
export function isPoolOfBase(
  base: BackupReader | undefined,
  { fsid }: CephCluster,
  { name, id }: CephPool,
  created: number,
): boolean {
  const known = base?.metadata.ceph;
  const ordinal = known?.pools.indexOf(name) ?? -1;
  if (known?.fsid !== fsid || known.poolIds?.[ordinal] !== id) return false;
  const before = known.poolsCreated?.[ordinal] ?? 0;
  return before === 0 || created === 0 || before === created;
}
