import type { BackupReader } from "../../archive/backup-reader.js";
import { TAR_END } from "../../archive/tar/tar-header.js";
import { throwIfAborted } from "../../errors.js";
import type { BackupLocation } from "../open/backup-location.js";
import { catOriginal } from "./original.js";
import type { OperationContext } from "../context.js";
import { passphraseKeys } from "../open/derived-keys.js";
import { openBackup, openedEvent } from "../open/open-backup.js";
import { writeTo } from "./tar-output.js";

/**
 * Writes the decrypted tars of all ARCHIVE files as one tar. `complete` is false when the backup is known to lack
 * something.
 */
export async function catBackup(
  options: { readonly location: BackupLocation; readonly output: NodeJS.WritableStream },
  context: OperationContext,
): Promise<{ complete: boolean }> {
  const { report, signal } = context;
  const passphrase = passphraseKeys(await context.passphrase(), report);
  const { location, output } = options;
  const opened = await openBackup({ location, passphrase }, context);
  try {
    if (opened.kind === "original") return await catOriginal(opened.backup, output, context);
    report(openedEvent(opened));
    const { backup } = opened;
    for (let number = 0; number < backup.archives.length; number++) {
      throwIfAborted(signal);
      await catArchive(backup, number, output, signal);
    }
    await writeTo(output, TAR_END, signal);
    return { complete: true };
  } finally {
    await opened.close();
  }
}

/** Leaves out the end of the tar of an ARCHIVE file: the caller writes one for all. */
async function catArchive(
  backup: BackupReader,
  number: number,
  output: NodeJS.WritableStream,
  signal: AbortSignal,
): Promise<void> {
  let held: Buffer = Buffer.alloc(0);
  // The reader parses the tar, so it has only entries of the format: no links, no paths out of the folder.
  for await (const { chunk } of backup.readArchive(number, { signal })) {
    const bytes = Buffer.concat([held, chunk.bytes]);
    chunk.release();
    const end = Math.max(0, bytes.length - TAR_END.length);
    held = bytes.subarray(end);
    if (end > 0) await writeTo(output, bytes.subarray(0, end), signal);
  }
}
