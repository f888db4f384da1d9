import type { BackupReader } from "../../archive/backup-reader.js";
import type { PassphraseKeys } from "../../archive/crypto/backup-keys.js";
import { ArchiveError } from "../../archive/errors.js";
import type { SealPool } from "../../archive/seal/seal-pool.js";
import { quoted } from "../../quoted.js";
import type { OperationContext } from "../context.js";
import { openNamedBackup } from "../open/named-backup.js";
import type { StoredHistoryBase } from "./stored-history.js";

/** Opens the backup of a base, and checks that it belongs to its name. Throws ArchiveError of every code. */
export async function openHistoryBase(
  { files, snapshot, stream }: StoredHistoryBase,
  passphrase: PassphraseKeys,
  pool: SealPool,
  context: Pick<OperationContext, "report">,
): Promise<BackupReader> {
  const backup = await openNamedBackup({ files, name: snapshot }, passphrase, pool, context);
  const { metadata, where } = backup;
  if (stream !== undefined && metadata.snapshot !== stream.text) {
    const made = metadata.snapshot === undefined ? "a folder" : quoted(metadata.snapshot);
    const message = `the base in ${where} does not belong to its stream: it was made as ${made}`;
    throw new ArchiveError("DOES_NOT_BELONG", message, {
      hint: "another backup was put in its place: compare with another store",
    });
  }
  return backup;
}
