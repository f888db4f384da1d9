import type { BackupReader } from "../../archive/backup-reader.js";
import { ContentsCheck } from "../../archive/contents-check.js";
import type { Metadata } from "../../archive/metadata.js";
import { FileThread } from "../../threads/file-thread.js";
import { throwIfAborted, UsageError } from "../../errors.js";
import { type BackupLocation, originalFolder } from "../open/backup-location.js";
import type { OperationContext } from "../context.js";
import type { BackupDetails } from "../events.js";
import { inspectOriginal } from "./original.js";
import { passphraseKeys } from "../open/derived-keys.js";
import { openBackup } from "../open/open-backup.js";

interface InspectOptions {
  readonly location: BackupLocation;
  /** Read METADATA.bin and INDEX.bin only. */
  readonly quick: boolean;
}

/** Decrypts and checks a backup, and reports its contents. `complete` is false when it is known to lack something. */
export async function inspectBackup(
  options: InspectOptions,
  context: OperationContext,
): Promise<{ complete: boolean }> {
  const { report, signal } = context;
  const { location } = options;
  if (options.quick && (await originalFolder(location)) !== undefined) {
    throw new UsageError("an archive of the original tool has no index for a quick inspection", {
      hint: "inspect it completely",
      settings: ["no-quick"],
    });
  }
  const passphrase = passphraseKeys(await context.passphrase(), report);
  const opened = await openBackup({ location, passphrase }, context);
  try {
    if (opened.kind === "original") return await inspectOriginal(opened.backup, context);
    const { backup } = opened;
    if (options.quick) await backup.checkIndex({ signal });
    else await checkContents(backup, context);
    const { metadata, manifest } = backup;
    const { counts } = metadata;
    report({
      type: "inspected",
      objects: counts.objects,
      records: counts.records,
      pools: [...(metadata.ceph?.pools ?? [])],
      details: {
        id: metadata.id,
        kind: metadata.kind,
        ...(metadata.base === null ? {} : { base: metadata.base }),
        startedAt: metadata.startedAt,
        finishedAt: metadata.finishedAt,
        toolVersion: metadata.toolVersion,
        ...(metadata.etcd === null ? {} : { etcdRevision: metadata.etcd.revision }),
        ...snapshotDetails(metadata),
        files: manifest.files.length,
        sealedBytes: manifest.files.reduce((sum, file) => sum + file.size, 0),
        plainBytes: metadata.plainBytes,
        objectBytes: counts.objectBytes,
        deletedObjects: counts.deletedObjects,
        deletedKeys: counts.deletedKeys,
        checked: options.quick ? "quick" : "full",
      },
    });
    throwIfAborted(signal);
    return { complete: true };
  } finally {
    await opened.close();
  }
}

/** In bytes within the database of etcd, which may have gigabytes. */
function progressOf(check: ContentsCheck, { counts, etcd }: Metadata) {
  const { bytes = 0 } = etcd?.snapshot ?? {};
  const { snapshotBytes } = check;
  const total = counts.objects + counts.records;
  const isWithin = snapshotBytes > 0 && snapshotBytes < bytes;
  if (isWithin || (total === 0 && bytes > 0)) {
    return { done: snapshotBytes, total: bytes, unit: "bytes" } as const;
  }
  return { done: check.count, total, unit: "items" } as const;
}

function snapshotDetails({ etcd }: Metadata): Pick<BackupDetails, "etcdSnapshot"> {
  const { snapshot } = etcd ?? {};
  if (!snapshot) return {};
  const { revision, compactRevision, bytes } = snapshot;
  return { etcdSnapshot: { revision, compactRevision, bytes } };
}

/** Reads every byte of a backup and checks it, as {@link inspectBackup} does. Throws ArchiveError. */
export async function checkContents(
  backup: BackupReader,
  { report, signal }: Pick<OperationContext, "report" | "signal">,
): Promise<void> {
  const thread = new FileThread();
  const reading = { hashOn: thread, signal };
  const check = new ContentsCheck(backup, reading);
  try {
    // The comparison reads the index without its digest, so that is checked first.
    await backup.checkIndex(reading);
    for (let number = 0; number < backup.archives.length; number++) {
      for await (const _ of check.items(number)) {
        throwIfAborted(signal);
        report({ type: "progress", phase: "inspect", ...progressOf(check, backup.metadata) });
      }
    }
  } finally {
    await Promise.all([check.close(), thread.close()]);
  }
}
