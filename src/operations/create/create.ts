import { BackupKeys, type PassphraseKeys } from "../../archive/crypto/backup-keys.js";
import type { BackupReader } from "../../archive/backup-reader.js";
import type { BackupTarget } from "../../archive/backup-target.js";
import { BackupWriter } from "../../archive/backup-writer.js";
import { FolderTarget, prepareFolder } from "../../archive/folder-target.js";
import { KDF_COSTS, type KdfCost, type KdfName } from "../../archive/crypto/passphrase-key.js";
import { SealPool } from "../../archive/seal/seal-pool.js";
import { throwIfAborted, UsageError } from "../../errors.js";
import { quoted } from "../../quoted.js";
import { firstRevisionOver } from "../../snapshots/name.js";
import type { CephOptions } from "../../sources/ceph/cluster.js";
import type { EtcdOptions } from "../../sources/etcd/cluster.js";
import { newCounts } from "./counts.js";
import { type BackupLocation, locateBackup, originalFolder } from "../open/backup-location.js";
import { chainOf } from "./chain-ids.js";
import { Connections } from "../open/connections.js";
import type { OperationContext } from "../context.js";
import { archivePools, type PoolIdentities } from "./pools.js";
import { archiveEtcd, type EtcdFacts } from "./records.js";
import { CreateStores, type StoreDestination } from "./destination.js";
import { openNamed } from "../open/open-named.js";
import { passphraseKeys } from "../open/passphrase-keys.js";
import { choosePools, covers } from "../open/pool-choice.js";
import { timedKeys } from "../open/derived-keys.js";

export interface CreateOptions {
  /** A folder that is empty or not there; may be absent when there is a store. */
  readonly outputDir?: string | undefined;
  readonly store?: StoreDestination | undefined;
  readonly secondaryStore?: StoreDestination | undefined;
  /** Absent: etcd is left out. */
  readonly etcd?: EtcdOptions | undefined;
  /** Absent: Ceph is left out. */
  readonly ceph?: CephOptions | undefined;
  /** Pools to back up; none means all. */
  readonly includePools: readonly string[];
  readonly skipPools: readonly string[];
  readonly incrementalOver?: BackupLocation | undefined;
  /** Sealed bytes after which another ARCHIVE file is started. */
  readonly archiveSize: number;
  readonly compressionLevel: number;
  /** Cost of the passphrase, by its name or in numbers. */
  readonly kdf: KdfName | KdfCost;
  /** Go on when an object cannot be read, and report it as missing. */
  readonly keepGoing: boolean;
  readonly toolVersion: string;
}

export interface Created {
  /** Objects that `keepGoing` had to leave out. */
  readonly missing: number;
  /** Whether the secondary store lacks something of the backup. */
  readonly secondaryBehind: boolean;
}

/** Makes a backup. */
export async function createBackup(
  options: CreateOptions,
  context: OperationContext,
): Promise<Created> {
  const { report, signal } = context;
  if (options.etcd === undefined && options.ceph === undefined) {
    throw new UsageError("nothing to back up: both etcd and Ceph are skipped");
  }
  const { outputDir } = options;
  if (outputDir !== undefined) await prepareFolder(outputDir);
  const passphrase = passphraseKeys(await context.passphrase(), report);
  const { forNew } = passphrase;
  throwIfAborted(signal);

  const cleanups: (() => Promise<void>)[] = [];
  try {
    const stores =
      options.store && (await CreateStores.open(options.store, options.secondaryStore, context));
    if (stores !== undefined) cleanups.push(() => stores.close());
    // Threads and connections are ready when the key is.
    const sealPool = new SealPool();
    cleanups.push(() => sealPool.close());
    const connections = new Connections(options, signal);
    cleanups.push(() => connections.close());
    const { base, keys } = await timedKeys(context, async () => {
      const over = options.incrementalOver;
      const base =
        over && (await openBase(over, passphrase, { sealPool, stores, cleanups }, context));
      const { kdf } = options;
      const cost = typeof kdf === "string" ? KDF_COSTS[kdf] : kdf;
      return { base, keys: await BackupKeys.create(forNew, cost, base?.keys.slot) };
    });
    throwIfAborted(signal);
    if (base === undefined) report({ type: "incremental-skipped" });

    const [etcd, ceph] = [await connections.etcd, await connections.ceph];
    const pools = ceph === undefined ? [] : await choosePools(ceph, options);
    if (ceph === undefined) report({ type: "ceph-skipped" });
    else report({ type: "pools", pools });
    if (etcd === undefined) report({ type: "etcd-skipped" });

    const { target, snapshot } = await openTarget(
      stores,
      options,
      base,
      await etcd?.currentRevision(signal),
    );
    const writer = new BackupWriter({
      target,
      keys,
      sealPool,
      compressionLevel: options.compressionLevel,
      archiveBytes: options.archiveSize,
      onFile: (name) => report({ type: "file-created", name }),
    });
    cleanups.push(() => writer.close());
    const startedAt = new Date().toISOString();
    const counts = newCounts();
    await writer.start(base === undefined ? [] : await chainOf(base));
    const run = { writer, counts, base, context, keepGoing: options.keepGoing };
    let identities: PoolIdentities = { poolIds: [], poolsCreated: [] };
    if (ceph !== undefined) {
      identities = await archivePools(run, ceph, pools, covers(options));
      report({
        type: "ceph-done",
        included: counts.objects,
        unchanged: counts.unchangedObjects,
        vanished: counts.vanishedObjects,
        deleted: counts.deletedObjects,
      });
    }
    let etcdFacts: EtcdFacts | null = null;
    if (etcd !== undefined) {
      etcdFacts = await archiveEtcd(run, etcd);
      report({ type: "etcd-done", included: counts.records, deleted: counts.deletedKeys });
    }
    throwIfAborted(signal);
    const metadata = await writer.finish({
      kind: base === undefined ? "full" : "incremental",
      base: base?.metadata.id ?? null,
      startedAt,
      finishedAt: new Date().toISOString(),
      toolVersion: options.toolVersion,
      ...(snapshot === undefined ? {} : { snapshot }),
      ceph: ceph === undefined ? null : { fsid: ceph.fsid, pools, ...identities },
      etcd: etcdFacts,
      counts,
    });
    await stores?.reportStored(metadata);
    return { missing: counts.missingObjects, secondaryBehind: stores?.behind ?? false };
  } finally {
    for (const cleanup of cleanups.reverse()) await cleanup();
  }
}

/**
 * The snapshot is named before etcd is read, by the revision at that time: METADATA.bin has the one that
 * was read.
 */
async function openTarget(
  stores: CreateStores | undefined,
  options: CreateOptions,
  base: BackupReader | undefined,
  revision = 0,
): Promise<{ target: BackupTarget; snapshot?: string }> {
  const { outputDir, archiveSize } = options;
  if (stores !== undefined) {
    const kind = base === undefined ? "full" : "incremental";
    const firstRevision =
      base === undefined || revision === 0
        ? 0
        : // Where nothing was written since, the range is empty, but it is not turned round.
          Math.min(firstRevisionOver(base.metadata.etcd?.revision ?? 0), revision);
    return stores.target({ kind, firstRevision, lastRevision: revision }, outputDir, archiveSize);
  }
  if (outputDir !== undefined) return { target: new FolderTarget(outputDir) };
  throw new UsageError("the backup goes nowhere: there is neither a folder nor a store");
}

async function openBase(
  location: BackupLocation,
  passphrase: PassphraseKeys,
  run: {
    readonly sealPool: SealPool;
    readonly stores: CreateStores | undefined;
    readonly cleanups: (() => Promise<void>)[];
  },
  context: OperationContext,
): Promise<BackupReader> {
  const original = await originalFolder(location);
  if (original !== undefined) {
    throw new UsageError(`${quoted(original)} is an archive of the original tool`, {
      hint: "take a full backup, which heals what that tool may have written wrong; or convert it first",
    });
  }
  const located = await locateBackup(location, context, run.stores?.seen);
  run.cleanups.push(() => located.close());
  if (located.name !== undefined) run.stores?.standsOn(located.name.text);
  // The chain below it is looked at while the key is derived. Both end before anything is closed.
  const [opened, whole] = await Promise.allSettled([
    openNamed(located, passphrase, run.sealPool, context),
    located.requireBases?.(),
  ]);
  if (opened.status === "rejected") throw opened.reason;
  if (whole.status === "rejected") throw whole.reason;
  return opened.value;
}
