import type { PassphraseKeys } from "../../archive/crypto/backup-keys.js";
import { METADATA_NAME } from "../../archive/format.js";
import { OriginalBackup } from "../../archive/original/original-backup.js";
import { throwIfAborted } from "../../errors.js";
import type { OperationContext } from "../context.js";
import type { OperationEvent } from "../events.js";
import { SimilarContents } from "./similar-contents.js";
import { MAX_LINES, placeOf, reportFindings } from "../open/original-objects.js";

/** The faults that reading such an archive cannot find. */
export const ORIGINAL_DOUBT =
  "a pass says that the archive is as it was written, not that the original tool wrote what Ceph held: it can seal one object's bytes under another's name, which nothing in the archive shows; take a new backup with this program";

/** Decrypts all of an archive of the original tool, and reports its contents and doubts. */
export async function inspectOriginal(
  backup: OriginalBackup,
  context: OperationContext,
): Promise<{ complete: boolean }> {
  const { report } = context;
  const found = await readEverything(backup, context);
  report({
    type: "inspected",
    objects: found.objects,
    records: found.records,
    pools: [...backup.summary.pools],
    original: {
      files: backup.summary.archives.length + (backup.summary.hasMetadata ? 1 : 0),
      sealedBytes: backup.summary.sealedBytes,
      objectBytes: found.objectBytes,
    },
  });
  const warn = (message: string) => report({ type: "warning", message });
  for (const gap of backup.summary.gaps) warn(gap);
  if (found.unknown > 0) {
    warn(`${METADATA_NAME} does not name ${found.unknown} of the objects in it`);
  }
  const whole = await reportFindings(backup, report);
  if (found.suspects > MAX_LINES) {
    warn(`${found.suspects - MAX_LINES} more objects begin like another`);
  }
  warn(ORIGINAL_DOUBT);
  return { complete: backup.summary.gaps.length === 0 && whole };
}

/** Reads all of an archive of the original tool, as {@link inspectOriginal} does. Throws ArchiveError. */
export async function checkOriginal(
  folder: string,
  passphrase: PassphraseKeys,
  context: OperationContext,
): Promise<void> {
  const { signal } = context;
  const backup = await OriginalBackup.open(folder, passphrase, signal);
  try {
    // Doubts are reported by the restore itself.
    const report = (event: OperationEvent) => {
      if (event.type === "progress") context.report(event);
    };
    await readEverything(backup, { signal, report });
  } finally {
    await backup.close();
  }
}

interface Found {
  objects: number;
  records: number;
  objectBytes: number;
  /** Objects that METADATA.bin does not name. */
  unknown: number;
  suspects: number;
}

async function readEverything(
  backup: OriginalBackup,
  context: Pick<OperationContext, "signal" | "report">,
): Promise<Found> {
  const { report, signal } = context;
  const found: Found = { objects: 0, records: 0, objectBytes: 0, unknown: 0, suspects: 0 };
  const similar = new SimilarContents();
  for (let number = 0; number < backup.summary.archives.length; number++) {
    for await (const item of backup.items(number, { withPrefixes: true, signal })) {
      throwIfAborted(signal);
      if (item.kind === "records") {
        for (const page of item.pages) found.records += page.length;
      } else {
        const { object, prefixes, occurrence, mtime } = item;
        found.objects++;
        found.objectBytes += object.content.length;
        if (backup.summary.hasMetadata && mtime === undefined) found.unknown++;
        const place = placeOf(object);
        // A repetition is not another object.
        const alike = occurrence === "first" ? similar.find(place, prefixes) : undefined;
        if (alike !== undefined && ++found.suspects <= MAX_LINES) {
          report({ type: "suspects", objects: [alike.other, place], bytes: alike.bytes });
        }
      }
      report({
        type: "progress",
        phase: "inspect",
        done: found.objects,
        total: backup.summary.objects,
        unit: "objects",
      });
    }
  }
  return found;
}
