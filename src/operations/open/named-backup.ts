import type { BackupFiles } from "../../archive/backup-files.js";
import type { PassphraseKeys } from "../../archive/crypto/backup-keys.js";
import { BackupReader } from "../../archive/backup-reader.js";
import type { SealPool } from "../../archive/seal/seal-pool.js";
import { checkBackupName } from "../../snapshots/name-check.js";
import type { SnapshotName } from "../../snapshots/name.js";
import type { OperationContext } from "../context.js";

/** The files of a backup, and its name if they are in a store. */
export interface NamedFiles {
  readonly files: BackupFiles;
  readonly name?: SnapshotName | undefined;
}

/** Passphrases with a warning: one for all backups of a chain. */
const warned = new WeakSet<PassphraseKeys>();

/** Opens a backup, and checks that its name in the store fits. Throws ArchiveError of every code. */
export async function openNamedBackup(
  { files, name }: NamedFiles,
  passphrase: PassphraseKeys,
  pool: SealPool,
  { report }: Pick<OperationContext, "report">,
): Promise<BackupReader> {
  const backup = await BackupReader.open(files, passphrase, pool);
  if (backup.keys.byFormerPassphrase && !warned.has(passphrase)) {
    warned.add(passphrase);
    report({
      type: "warning",
      message: `${backup.where} opens with the passphrase as earlier versions read it, not in the form that new backups use (docs/format.md): keep it exactly as it is given now while you need this backup`,
    });
  }
  const doubt = name && checkBackupName(name, backup.metadata, backup.where);
  if (doubt !== undefined) report({ type: "warning", message: doubt });
  return backup;
}
