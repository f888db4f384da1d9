import { type BackupFiles, readStart, withFile } from "../backup-files.js";
import { BackupKeys, type PassphraseKeys } from "../crypto/backup-keys.js";
import { ArchiveError, damaged } from "../errors.js";
import { MAX_HEADER_BYTES } from "../format.js";
import { decodeHeader, type Header } from "../header.js";

/**
 * Opens the keys of a stream by the key slots of one of these files, which all have the same. The first whose header is
 * authentic decides; what is wrong with the others shows when they are read.
 *
 * @param idStart first hexadecimal digits of the stream's id
 * @throws ArchiveError WRONG_PASSPHRASE, or why none of the files can be used; UsageError
 */
export async function openStreamKeys(
  files: BackupFiles,
  names: readonly string[],
  idStart: string,
  passphrase: PassphraseKeys,
): Promise<BackupKeys> {
  const failures: ArchiveError[] = [];
  for (const name of names) {
    try {
      const header = await headerOf(files, name);
      const keys = await BackupKeys.open(passphrase, header, name);
      if (!keys.headerIsAuthentic(header)) {
        throw damaged("its header is not the one that was written", { file: name });
      }
      passphrase.proveDemand();
      const id = Buffer.from(header.backupId).toString("hex");
      if (id.startsWith(idStart)) return keys;
      const message = `it is a file of another stream, with the id ${id}`;
      throw new ArchiveError("DOES_NOT_BELONG", message, { file: name });
    } catch (error) {
      if (!(error instanceof ArchiveError)) throw error;
      failures.push(error);
    }
  }
  const [first = new ArchiveError("MISSING_FILE", `${files.where} has no file of a stream`)] =
    failures;
  const wrong = failures.find(({ code }) => code === "WRONG_PASSPHRASE");
  throw failures.every(({ code }) => code !== "DOES_NOT_BELONG") ? (wrong ?? first) : first;
}

async function headerOf(files: BackupFiles, name: string): Promise<Header> {
  const bytes = await withFile(files, name, (file) => readStart(file, MAX_HEADER_BYTES));
  return decodeHeader(bytes, name);
}
