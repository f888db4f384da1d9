import { PassphraseKeys } from "../archive/backup-keys.js";
import { BackupReader } from "../archive/backup-reader.js";
import { ArchiveError } from "../archive/errors.js";
import { SealPool } from "../archive/seal-pool.js";
import { BackupToolError, UsageError, withHint } from "../errors.js";
import { quoted } from "../quoted.js";
import { CephCluster, type CephOptions } from "../sources/ceph/cluster.js";
import { EtcdCluster, type EtcdOptions } from "../sources/etcd/cluster.js";
import type { LeasePolicy } from "../sources/etcd/types.js";
import { visitArchive } from "./archive-contents.js";
import { newCounts } from "./backup-counts.js";
import type { OperationContext } from "./context.js";
import { requirePools } from "./pools.js";
import { etcdDepth, FinalState } from "./restore-chain.js";
import { EtcdTarget } from "./restore-etcd.js";
import { timedKeys } from "./timed-keys.js";
import { RestoreVisitor } from "./restore-visitor.js";
import { PoolTargets } from "./restore-pools.js";

export interface RestoreOptions {
  readonly outputDir: string;
  /** Folders of the bases below it, in any order; with none, only what this backup holds is restored. */
  readonly withBase: readonly string[];
  readonly etcd?: EtcdOptions | undefined;
  readonly ceph?: CephOptions | undefined;
  /** Pool in the archive to pool of the target. */
  readonly pools: ReadonlyMap<string, string>;
  readonly leases: LeasePolicy;
}

/** Brings a backup, or a chain of them, back. */
export async function restoreBackup(
  options: RestoreOptions,
  context: OperationContext,
): Promise<void> {
  const { report, signal } = context;
  if (options.etcd === undefined && options.ceph === undefined) {
    throw new UsageError("nothing to restore: both etcd and Ceph are skipped");
  }
  const passphrase = new PassphraseKeys(await context.passphrase());
  const cleanups: (() => Promise<void>)[] = [];
  try {
    const sealPool = new SealPool();
    cleanups.push(() => sealPool.close());
    const chain = await timedKeys(report, async () => {
      const backup = await BackupReader.open(options.outputDir, passphrase, sealPool);
      const others: BackupReader[] = [];
      for (const folder of options.withBase) {
        others.push(await BackupReader.open(folder, passphrase, sealPool));
      }
      return orderChain(backup, others);
    });
    requireArchivedPools(chain, [...options.pools.keys()]);

    let etcd: EtcdCluster | undefined;
    if (options.etcd !== undefined) {
      report({ type: "connecting-etcd" });
      etcd = await EtcdCluster.connect(options.etcd, signal);
      const { close } = etcd;
      cleanups.push(async () => close.call(etcd));
    }
    let targets: PoolTargets | undefined;
    if (options.ceph !== undefined) {
      report({ type: "connecting-ceph" });
      const ceph = await CephCluster.connect(options.ceph, signal);
      cleanups.push(() => ceph.close());
      requirePools(await ceph.listPools(), [...options.pools.values()]);
      targets = await PoolTargets.open(ceph, options.pools, signal);
    }
    const keyTarget = etcd && new EtcdTarget(etcd, options.leases, signal);
    const finalState = chain.length > 1 ? await FinalState.load(chain, signal) : undefined;
    const records = etcdDepth(chain);
    const visitor = new RestoreVisitor(
      targets,
      keyTarget,
      finalState,
      context,
      itemsToCome(chain, options),
    );
    try {
      for (const [ordinal, member] of [...chain.entries()].reverse()) {
        for (let number = 0; number < member.archives.length; number++) {
          visitor.enter(ordinal, number, ordinal < records);
          await visitArchive(member, number, visitor, { signal });
          await visitor.settle();
        }
        // What a later backup says of a key or an object must come after what an earlier one says.
        await visitor.finish();
      }
    } catch (error) {
      await visitor.abandon(error);
      throw howFar(error, visitor);
    }
    report({
      type: "restored",
      objects: visitor.objects,
      skippedObjects: visitor.skippedObjects,
      records: visitor.restoredRecords,
      removedObjects: visitor.removedObjects,
      removedKeys: visitor.removedKeys,
      expiredRecords: visitor.expiredRecords,
    });
  } finally {
    for (const cleanup of cleanups.reverse()) await cleanup();
  }
}

/** The backup and its bases, newest first. Throws UsageError when one is missing or does not belong. */
function orderChain(backup: BackupReader, others: readonly BackupReader[]): BackupReader[] {
  const chain = [backup];
  if (others.length === 0) return chain;
  const left = new Set(others);
  for (let at = backup; at.metadata.base !== null; ) {
    const base = others.find((other) => other.metadata.id === at.metadata.base);
    if (base === undefined) {
      throw new UsageError(
        `the backup ${at.folder} stands on ${at.metadata.base}, which no --with-base names`,
        { hint: "name every backup of the chain down to the full one" },
      );
    }
    left.delete(base);
    chain.push(base);
    at = base;
  }
  for (const other of left) {
    throw new ArchiveError(
      "DOES_NOT_BELONG",
      `the backup in ${other.folder} is no base of ${backup.folder}`,
    );
  }
  return chain;
}

/** For progress: each object once, and every record of the backups that count. */
function itemsToCome(chain: readonly BackupReader[], options: RestoreOptions): number {
  const { objects, unchangedObjects } = chain[0]?.metadata.counts ?? newCounts();
  const records = chain
    .slice(0, etcdDepth(chain))
    .reduce((sum, { metadata }) => sum + metadata.counts.records, 0);
  const inCeph = objects + (chain.length > 1 ? unchangedObjects : 0);
  return (options.ceph ? inCeph : 0) + (options.etcd ? records : 0);
}

/** Throws UsageError when a pool that is mapped is in none of the backups. */
function requireArchivedPools(chain: readonly BackupReader[], mapped: readonly string[]): void {
  const held = new Set(chain.flatMap(({ metadata }) => metadata.ceph?.pools ?? []));
  const missing = mapped.filter((pool) => !held.has(pool));
  if (missing.length === 0) return;
  throw new UsageError(`the backup has no pool ${missing.map(quoted).join(", ")}`, {
    hint: `it has: ${[...held].map(quoted).join(", ") || "none"}`,
  });
}

function howFar(error: unknown, visitor: RestoreVisitor): unknown {
  const { objects, restoredRecords: records } = visitor;
  const done = `${objects} ceph objects and ${records} etcd records had been restored`;
  const again = `${done}; the restore can be run again`;
  return error instanceof BackupToolError ? withHint(error, again) : error;
}
