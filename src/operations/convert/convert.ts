import { FolderFiles } from "../../archive/backup-files.js";
import { BackupKeys } from "../../archive/crypto/backup-keys.js";
import type { BackupReader } from "../../archive/backup-reader.js";
import { FolderTarget, prepareFolder } from "../../archive/folder-target.js";
import { isOriginal } from "../../archive/original/folder.js";
import { OriginalBackup } from "../../archive/original/original-backup.js";
import { KDF_COSTS, type KdfName } from "../../archive/crypto/passphrase-key.js";
import { SealPool } from "../../archive/seal/seal-pool.js";
import { throwIfAborted, UsageError } from "../../errors.js";
import { quoted } from "../../quoted.js";
import { type BackupSettings, makeBackup } from "../create/run.js";
import type { OperationContext } from "../context.js";
import { convertContents } from "./contents.js";
import { ORIGINAL_DOUBT } from "../inspect/original.js";
import { openNamedBackup } from "../open/named-backup.js";
import { reportFindings } from "../open/original-objects.js";
import { passphraseKeys, reportKeyDerivation } from "../open/derived-keys.js";

interface ConvertOptions extends BackupSettings {
  /** Folder of an archive of the original tool. */
  readonly outputDir: string;
  /** A folder that is empty or does not exist. */
  readonly to: string;
  /** The base of the new backup: a folder with a backup of this format. */
  readonly incrementalOver?: string | undefined;
  readonly kdf: KdfName;
}

interface ConvertContext extends OperationContext {
  /** The passphrase of the new backup and its base. */
  newPassphrase(): Promise<Uint8Array>;
}

/**
 * Rewrites an archive of the original tool in this format, under another passphrase. `complete` is false when the archive
 * is known to lack something.
 */
export async function convertBackup(
  options: ConvertOptions,
  context: ConvertContext,
): Promise<{ complete: boolean }> {
  const { report, signal } = context;
  if (!(await isOriginal(options.outputDir))) {
    throw new UsageError(`${quoted(options.outputDir)} is not an archive of the original tool`, {
      hint: "name its folder, and the folder of the new backup",
      settings: ["outputdir", "to"],
    });
  }
  await prepareFolder(options.to, "to");
  const oldPassphrase = passphraseKeys(await context.passphrase(), report);
  const newPassphrase = passphraseKeys(await context.newPassphrase(), report);
  const { forNew } = newPassphrase;
  const cleanups: (() => Promise<void>)[] = [];
  try {
    const sealPool = new SealPool();
    cleanups.push(() => sealPool.close());
    const { backup, base, keys } = await reportKeyDerivation(context, async () => {
      const backup = await OriginalBackup.open(options.outputDir, oldPassphrase, signal);
      cleanups.push(() => backup.close());
      let base: BackupReader | undefined;
      if (options.incrementalOver !== undefined) {
        const files = new FolderFiles(options.incrementalOver);
        base = await openNamedBackup({ files }, newPassphrase, sealPool, context);
      }
      const keys = await BackupKeys.create(forNew, KDF_COSTS[options.kdf], base?.keys.slot);
      return { backup, base, keys };
    });
    throwIfAborted(signal);
    for (const message of backup.summary.gaps) report({ type: "warning", message });
    let whole = true;
    const { counts } = await makeBackup(
      { target: new FolderTarget(options.to), keys, sealPool, base },
      options,
      context,
      async (run) => {
        const pools = await convertContents(backup, run);
        throwIfAborted(signal);
        whole = await reportFindings(backup, report);
        run.counts.missingObjects = backup.times.missing;
        return {
          ceph: pools.length === 0 ? null : { fsid: "", pools },
          // No cluster: a later incremental compares nothing with it.
          etcd: backup.summary.holdsEtcd
            ? { clusterId: "", revision: 0, firstBatch: 0, restarts: 0 }
            : null,
        };
      },
    );
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
