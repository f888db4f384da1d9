import { throwIfAborted, UsageError } from "../../errors.js";
import { CephCluster, type CephOptions } from "../../sources/ceph/cluster.js";
import { ENOENT } from "../../sources/ceph/errors.js";
import { nameAt } from "../../sources/ceph/name-batch.js";
import type { CephPool } from "../../sources/ceph/pool.js";
import type { NameBatch } from "../../sources/ceph/types.js";
import { EtcdCluster, type EtcdOptions } from "../../sources/etcd/cluster.js";
import type { OperationContext } from "../context.js";
import { checkPoolsExist } from "../open/pool-choice.js";

export interface ClearOptions {
  readonly etcd?: EtcdOptions | undefined;
  readonly ceph?: CephOptions | undefined;
  readonly pools: readonly string[];
  /** Report what would be deleted, and delete nothing. */
  readonly dryRun: boolean;
  /** Called before the first deletion; throws to prevent it. */
  readonly approve?: ((plan: ClearPlan) => Promise<void>) | undefined;
}

/** What will be deleted. */
export interface ClearPlan {
  readonly etcd: { readonly endpoints: readonly string[]; readonly keys: number } | undefined;
  readonly pools: readonly string[];
  /** The Ceph cluster's id, when pools are named. */
  readonly fsid: string | undefined;
}

/** Deletes every key of etcd and every object of the pools. */
export async function clearTarget(options: ClearOptions, context: OperationContext): Promise<void> {
  const { report, signal } = context;
  if (options.etcd === undefined && options.ceph === undefined) {
    throw new UsageError("nothing to clear: both etcd and Ceph are skipped");
  }
  // Both must answer, and all pools exist, before the first deletion.
  const useCeph = options.ceph !== undefined && options.pools.length > 0;
  const etcd = options.etcd && (await EtcdCluster.connect(options.etcd, signal));
  try {
    const ceph =
      useCeph && options.ceph ? await CephCluster.connect(options.ceph, signal) : undefined;
    try {
      if (ceph !== undefined) {
        checkPoolsExist(await ceph.listPools(), options.pools);
        await ceph.checkTiers(options.pools, "write");
      }
      const keys = etcd && (await etcd.countKeys(await etcd.currentRevision(signal), signal));
      await options.approve?.({
        etcd: keys === undefined ? undefined : { endpoints: options.etcd?.endpoints ?? [], keys },
        pools: ceph === undefined ? [] : options.pools,
        fsid: ceph?.fsid,
      });
      if (etcd !== undefined) {
        const { dryRun } = options;
        const count = dryRun ? (keys ?? 0) : await etcd.deleteAll(signal);
        report({ type: "etcd-keys-deleted", count, dryRun });
      }
      if (ceph !== undefined) {
        for (const pool of options.pools) await clearPool(ceph, pool, options.dryRun, context);
      }
      report({ type: "cleared" });
    } finally {
      await ceph?.close();
    }
  } finally {
    etcd?.close();
  }
}

async function clearPool(
  ceph: CephCluster,
  poolName: string,
  dryRun: boolean,
  { report, signal }: OperationContext,
): Promise<void> {
  const pool = await ceph.openPool(poolName);
  try {
    for await (const batch of pool.list({ slices: 4, pageSize: 512, signal })) {
      throwIfAborted(signal);
      const deleted = dryRun
        ? await existing(pool, batch, signal)
        : await pool.remove(batch, signal);
      for (const i of deleted) {
        const { name, namespace } = nameAt(batch, i);
        report({ type: "object-deleted", pool: poolName, name, namespace, dryRun });
      }
    }
  } finally {
    pool.close();
  }
}

/** Indices of the objects that exist: a listing also has deleted ones that a snapshot keeps. */
async function existing(pool: CephPool, batch: NameBatch, signal: AbortSignal): Promise<number[]> {
  const { errno } = await pool.stat(batch, signal);
  return [...errno.keys()].filter((i) => errno[i] !== ENOENT);
}
