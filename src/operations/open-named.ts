import type { BackupFiles } from "../archive/backup-files.js";
import type { PassphraseKeys } from "../archive/backup-keys.js";
import { BackupReader } from "../archive/backup-reader.js";
import type { SealPool } from "../archive/seal-pool.js";
import { requireOwnName } from "../replication/own-name.js";
import type { SnapshotName } from "../replication/snapshot-name.js";
import type { OperationContext } from "./context.js";

/** The files of a backup, and its name where they are in a store. */
export interface NamedFiles {
  readonly files: BackupFiles;
  readonly name?: SnapshotName | undefined;
}

/**
 * Opens a backup, and checks that it is the one that its name in the store names. Throws ArchiveError of every code.
 */
export async function openNamed(
  { files, name }: NamedFiles,
  passphrase: PassphraseKeys,
  pool: SealPool,
  { report }: Pick<OperationContext, "report">,
): Promise<BackupReader> {
  const backup = await BackupReader.open(files, passphrase, pool);
  const doubt = name && requireOwnName(name, backup.metadata, backup.where);
  if (doubt !== undefined) report({ type: "warning", message: doubt });
  return backup;
}
