import { PassphraseKeys } from "../../../src/archive/crypto/backup-keys.js";
import { ArchiveError } from "../../../src/archive/errors.js";
import { OriginalBackup } from "../../../src/archive/original/original-backup.js";
import { ORIGINAL_PASSPHRASE } from "./writer.js";

/** What reading all of an archive of the original tool came to. */
export interface OriginalReading {
  /** The error's code, or `read`. */
  readonly code: string;
  readonly message: string;
  readonly objects: number;
  readonly records: number;
  readonly contentBytes: number;
  readonly omapPairs: number;
  readonly gaps: readonly string[];
  readonly pools: readonly string[];
  /** Objects that METADATA.bin names and that are not there. */
  readonly missing: number;
  /** Frames of objects that came before. */
  readonly again: number;
  /** Names of those that came again with something else. */
  readonly others: readonly string[];
  /** Records that do not come after the one before them. */
  readonly backwards: number;
}

/** The key of the test archives is derived once. */
const keys = new PassphraseKeys(Buffer.from(ORIGINAL_PASSPHRASE));

/** Reads everything. Throws what is no ArchiveError: reading fails by those alone. */
export async function readOriginal(folder: string, passphrase = keys): Promise<OriginalReading> {
  const reading = {
    code: "read",
    message: "",
    objects: 0,
    records: 0,
    contentBytes: 0,
    omapPairs: 0,
    gaps: [] as readonly string[],
    pools: [] as readonly string[],
    missing: 0,
    again: 0,
    others: [] as readonly string[],
    backwards: 0,
  };
  let backup: OriginalBackup | undefined;
  try {
    backup = await OriginalBackup.open(folder, passphrase);
    reading.gaps = backup.summary.gaps;
    reading.pools = backup.summary.pools;
    for (let number = 0; number < backup.summary.archives.length; number++) {
      for await (const item of backup.items(number, { withPrefixes: true })) {
        if (item.kind === "records") {
          for (const page of item.pages) reading.records += page.length;
          continue;
        }
        reading.objects++;
        reading.contentBytes += item.object.content.length;
        for (const page of item.object.omap()) reading.omapPairs += page.length;
      }
    }
    reading.missing = backup.times.missing;
    const { again, others, backwards } = backup.findings;
    Object.assign(reading, { again, others: others.map(({ name }) => `${name}`), backwards });
  } catch (error) {
    if (!(error instanceof ArchiveError)) throw error;
    reading.code = error.code;
    reading.message = error.message;
  } finally {
    await backup?.close();
  }
  return reading;
}
