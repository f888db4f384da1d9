import { FolderFiles } from "../../archive/backup-files.js";
import { BackupKeys } from "../../archive/crypto/backup-keys.js";
import type { BackupReader } from "../../archive/backup-reader.js";
import { BackupWriter } from "../../archive/backup-writer.js";
import { FolderTarget, prepareFolder } from "../../archive/folder-target.js";
import { isOriginal } from "../../archive/original/folder.js";
import { OriginalBackup } from "../../archive/original/original-backup.js";
import { KDF_COSTS, type KdfName } from "../../archive/crypto/passphrase-key.js";
import { SealPool } from "../../archive/seal/seal-pool.js";
import { throwIfAborted, UsageError } from "../../errors.js";
import { quoted } from "../../quoted.js";
import { newCounts } from "../create/counts.js";
import { chainOf } from "../create/chain-ids.js";
import type { OperationContext } from "../context.js";
import { Conversion } from "./conversion.js";
import { ORIGINAL_DOUBT } from "../inspect/original.js";
import { openNamed } from "../open/open-named.js";
import { reportFindings } from "../open/original-objects.js";
import { passphraseKeys } from "../open/passphrase-keys.js";
import { timedKeys } from "../open/derived-keys.js";

export interface ConvertOptions {
  /** Folder of an archive of the original tool. */
  readonly outputDir: string;
  /** A folder that is empty or not there. */
  readonly to: string;
  /** Folder of a backup of this format, which the converted one stands on. */
  readonly incrementalOver?: string | undefined;
  /** Sealed bytes after which another ARCHIVE file is started. */
  readonly archiveSize: number;
  readonly compressionLevel: number;
  readonly kdf: KdfName;
  readonly toolVersion: string;
}

export interface ConvertContext extends OperationContext {
  /** Of the new backup, and of the one that it stands on. */
  newPassphrase(): Promise<Uint8Array>;
}

/**
 * Rewrites an archive of the original tool in this format, under another passphrase. `complete` is
 * false when the old one is known to lack something.
 */
export async function convertBackup(
  options: ConvertOptions,
  context: ConvertContext,
): Promise<{ complete: boolean }> {
  const { report, signal } = context;
  if (!(await isOriginal(options.outputDir))) {
    throw new UsageError(`${quoted(options.outputDir)} is no archive of the original tool`, {
      hint: "name its folder, and that of the new backup",
      settings: ["outputdir", "to"],
    });
  }
  await prepareFolder(options.to);
  const oldPassphrase = passphraseKeys(await context.passphrase(), report);
  const newPassphrase = passphraseKeys(await context.newPassphrase(), report);
  const { forNew } = newPassphrase;
  const cleanups: (() => Promise<void>)[] = [];
  try {
    const sealPool = new SealPool();
    cleanups.push(() => sealPool.close());
    const { backup, base, keys } = await timedKeys(context, async () => {
      const backup = await OriginalBackup.open(options.outputDir, oldPassphrase, signal);
      cleanups.push(() => backup.close());
      let base: BackupReader | undefined;
      if (options.incrementalOver !== undefined) {
        const files = new FolderFiles(options.incrementalOver);
        base = await openNamed({ files }, newPassphrase, sealPool, context);
      }
      const cost = KDF_COSTS[options.kdf];
      return {
        backup,
        base,
        keys: await BackupKeys.create(forNew, cost, base?.keys.slot),
      };
    });
    throwIfAborted(signal);
    for (const message of backup.summary.gaps) report({ type: "warning", message });
    const writer = new BackupWriter({
      target: new FolderTarget(options.to),
      keys,
      sealPool,
      compressionLevel: options.compressionLevel,
      archiveBytes: options.archiveSize,
      onFile: (name) => report({ type: "file-created", name }),
    });
    cleanups.push(() => writer.close());
    const startedAt = new Date().toISOString();
    await writer.start(base === undefined ? [] : await chainOf(base));
    const counts = newCounts();
    const conversion = new Conversion(backup, { writer, counts, base, context, keepGoing: false });
    await conversion.run();
    throwIfAborted(signal);
    const whole = await reportFindings(backup, report);
    counts.missingObjects = backup.times.unmet;
    await writer.finish({
      kind: base === undefined ? "full" : "incremental",
      base: base?.metadata.id ?? null,
      startedAt,
      finishedAt: new Date().toISOString(),
      toolVersion: options.toolVersion,
      ceph: conversion.pools.length === 0 ? null : { fsid: "", pools: conversion.pools },
      // Of no cluster: a later incremental compares nothing with it.
      etcd: backup.summary.holdsEtcd
        ? { clusterId: "", revision: 0, firstBatch: 0, restarts: 0 }
        : null,
      counts,
    });
    report({
      type: "converted",
      objects: counts.objects,
      records: counts.records,
      unchanged: counts.unchangedObjects,
      deleted: counts.deletedKeys,
    });
    report({ type: "warning", message: ORIGINAL_DOUBT });
    return { complete: backup.summary.gaps.length === 0 && whole };
  } finally {
    for (const cleanup of cleanups.reverse()) await cleanup();
  }
}
