import { BackupKeys, type PassphraseKeys } from "../../archive/crypto/backup-keys.js";
import type { BackupReader } from "../../archive/backup-reader.js";
import type { BackupTarget } from "../../archive/backup-target.js";
import { FolderTarget, prepareFolder } from "../../archive/folder-target.js";
import { KDF_COSTS, type KdfCost, type KdfName } from "../../archive/crypto/passphrase-key.js";
import { SealPool } from "../../archive/seal/seal-pool.js";
import { throwIfAborted, UsageError } from "../../errors.js";
import { quoted } from "../../quoted.js";
import { firstRevisionOver } from "../../snapshots/name.js";
import type { CephOptions } from "../../sources/ceph/cluster.js";
import type { EtcdOptions } from "../../sources/etcd/cluster.js";
import { type BackupLocation, locateBackup, originalFolder } from "../open/backup-location.js";
import { Connections } from "../open/connections.js";
import type { OperationContext } from "../context.js";
import { archivePools } from "./pools.js";
import { archiveEtcd, canSpool, type EtcdParts, spoolIfWanted } from "./etcd.js";
import type { SpooledSnapshot } from "./raw-snapshot.js";
import { type BackupSettings, makeBackup } from "./run.js";
import { BackupDestination, type StoreDestination } from "./destination.js";
import { openNamedBackup } from "../open/named-backup.js";
import { choosePools } from "../open/pool-choice.js";
import { passphraseKeys, reportKeyDerivation } from "../open/derived-keys.js";

export interface CreateOptions extends BackupSettings, EtcdParts {
  /** A folder that is empty or does not exist; optional when there is a store. */
  readonly outputDir?: string | undefined;
  readonly store?: StoreDestination | undefined;
  readonly secondaryStore?: StoreDestination | undefined;
  /** Undefined: without etcd. */
  readonly etcd?: EtcdOptions | undefined;
  /** Undefined: without Ceph. */
  readonly ceph?: CephOptions | undefined;
  /** Pools to back up; empty: all. */
  readonly includePools: readonly string[];
  readonly skipPools: readonly string[];
  readonly incrementalOver?: BackupLocation | undefined;
  /** Cost of the key derivation, by name or in numbers. */
  readonly kdf: KdfName | KdfCost;
  /** Report objects that cannot be read as missing, and go on. */
  readonly keepGoing: boolean;
}

interface Created {
  /** Objects that `keepGoing` left out. */
  readonly missing: number;
  /** Whether the secondary store is incomplete. */
  readonly secondaryBehind: boolean;
}

/** Makes a backup, full or incremental. */
export async function createBackup(
  options: CreateOptions,
  context: OperationContext,
): Promise<Created> {
  const { report, signal } = context;
  if (options.etcd === undefined && options.ceph === undefined) {
    throw new UsageError("nothing to back up: both etcd and Ceph are skipped");
  }
  const { outputDir } = options;
  if (outputDir !== undefined) await prepareFolder(outputDir, "outputdir");
  const passphrase = passphraseKeys(await context.passphrase(), report);
  const { forNew } = passphrase;
  throwIfAborted(signal);

  const cleanups: (() => Promise<void>)[] = [];
  try {
    const stores =
      options.store &&
      (await BackupDestination.open(options.store, options.secondaryStore, context));
    if (stores !== undefined) cleanups.push(() => stores.close());
    // Threads start and connections are made while the key is derived.
    const sealPool = new SealPool();
    cleanups.push(() => sealPool.close());
    const connections = new Connections(options, signal);
    cleanups.push(() => connections.close());
    const { base, keys } = await reportKeyDerivation(context, async () => {
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

    // Before etcd is read, which can take minutes.
    const startedAt = new Date();
    let spooled: SpooledSnapshot | undefined;
    cleanups.push(async () => spooled?.close());
    const spool = async () => {
      spooled = options.etcd && (await spoolIfWanted(options.etcd, options, context));
    };
    let spoolsLater = false;
    // Without pools, which may take hours, the name has the revision that the backup will have.
    if (ceph === undefined) await spool();
    else if (options.etcd) spoolsLater = await canSpool(options.etcd, options, context);
    const revision = spooled?.revision ?? (await etcd?.currentRevision(signal));
    const { target, snapshot } = await openTarget(stores, options, base, revision);
    const metadata = await makeBackup(
      { target, keys, sealPool, base, startedAt },
      options,
      context,
      async (run) => {
        const { counts } = run;
        const identities = ceph && (await archivePools(run, ceph, pools, options));
        if (identities !== undefined) {
          report({
            type: "ceph-done",
            included: counts.objects,
            unchanged: counts.unchangedObjects,
            vanished: counts.vanishedObjects,
            deleted: counts.deletedObjects,
          });
        }
        if (spoolsLater) await spool();
        const etcdFacts = etcd && (await archiveEtcd(run, etcd, options.etcdMode, spooled));
        if (etcdFacts !== undefined) {
          report({ type: "etcd-done", included: counts.records, deleted: counts.deletedKeys });
        }
        return {
          ...(snapshot === undefined ? {} : { snapshot }),
          ceph: ceph === undefined ? null : { fsid: ceph.fsid, pools, ...identities },
          etcd: etcdFacts ?? null,
        };
      },
    );
    await stores?.complete(metadata);
    return { missing: metadata.counts.missingObjects, secondaryBehind: stores?.behind ?? false };
  } finally {
    for (const cleanup of cleanups.reverse()) await cleanup();
  }
}

/**
 * Opens the target. A snapshot is named before etcd is read, after the revision at that time; METADATA.bin has the
 * revision that was read.
 */
async function openTarget(
  stores: BackupDestination | undefined,
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
        : // Clamp, so that first <= last where nothing was written since the base.
          Math.min(firstRevisionOver(base.metadata.etcd?.revision ?? 0), revision);
    return stores.target({ kind, firstRevision, lastRevision: revision }, outputDir, archiveSize);
  }
  if (outputDir !== undefined) return { target: new FolderTarget(outputDir) };
  throw new UsageError("there is neither a folder nor a store for the backup");
}

async function openBase(
  location: BackupLocation,
  passphrase: PassphraseKeys,
  run: {
    readonly sealPool: SealPool;
    readonly stores: BackupDestination | undefined;
    readonly cleanups: (() => Promise<void>)[];
  },
  context: OperationContext,
): Promise<BackupReader> {
  const original = await originalFolder(location);
  if (original !== undefined) {
    throw new UsageError(`${quoted(original)} is an archive of the original tool`, {
      hint: "make a full backup, which replaces what that tool may have written wrong; or use backuptool convert first",
    });
  }
  const located = await locateBackup(location, context, run.stores?.seen);
  run.cleanups.push(() => located.close());
  if (located.name !== undefined) {
    run.stores?.checkBase(located.name.text);
    await run.stores?.pinBase(located.name.text);
  }
  // The bases are looked up while the key is derived. Both must end before the store closes.
  const [opened, whole] = await Promise.allSettled([
    openNamedBackup(located, passphrase, run.sealPool, context),
    located.checkBases?.(),
  ]);
  if (opened.status === "rejected") throw opened.reason;
  if (whole.status === "rejected") throw whole.reason;
  await run.stores?.checkChain(whole.value ?? []);
  return opened.value;
}
