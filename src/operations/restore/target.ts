import { CephError } from "../../sources/ceph/errors.js";
import type { EtcdCluster } from "../../sources/etcd/cluster.js";
import { EtcdError } from "../../sources/etcd/errors.js";
import type { PoolTargets } from "./objects.js";

/** The target of a restore; a skipped part is undefined. */
export interface RestoreTarget {
  readonly etcd?: EtcdCluster | undefined;
  readonly pools?: PoolTargets | undefined;
}

/** Whether etcd and all pools are empty. A target that denies reading counts as not empty. */
export async function isTargetEmpty(
  { etcd, pools }: RestoreTarget,
  signal: AbortSignal,
): Promise<boolean> {
  if ((await unlessDenied(async () => etcd?.hasKeys(signal) ?? false)) !== false) return false;
  for (const pool of pools?.pools() ?? []) {
    if ((await unlessDenied(() => pool.hasObjects(signal))) !== false) return false;
  }
  return true;
}

/** Undefined when reading is denied: a restore needs only to write. */
export async function unlessDenied<T>(work: () => Promise<T> | undefined): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    const denied =
      (error instanceof EtcdError && error.code === "ETCD_AUTH") ||
      (error instanceof CephError && error.code === "CEPH_DENIED");
    if (!denied) throw error;
    return undefined;
  }
}
