import type { BackupReader, ReadOptions } from "../../archive/backup-reader.js";
import type { ContentsVisitor } from "../../archive/contents.js";
import { ContentsCheck } from "../../archive/contents-check.js";
import { FileThread } from "../../threads/file-thread.js";
import { SealPool } from "../../archive/seal/seal-pool.js";
import { throwIfAborted, UsageError } from "../../errors.js";
import { type BackupLocation, locateBackup, originalFolder } from "../open/backup-location.js";
import type { OperationContext } from "../context.js";
import { inspectOriginal } from "./original.js";
import { openNamed } from "../open/open-named.js";
import { passphraseKeys } from "../open/passphrase-keys.js";
import { timedKeys } from "../open/derived-keys.js";

export interface InspectOptions {
  readonly location: BackupLocation;
  /** Read METADATA.bin and INDEX.bin only. */
  readonly quick: boolean;
}

/** Decrypts and checks a backup, and reports what it holds. `complete` is false when it is known to lack something. */
export async function inspectBackup(
  options: InspectOptions,
  context: OperationContext,
): Promise<{ complete: boolean }> {
  const { report, signal } = context;
  const { location } = options;
  const original = await originalFolder(location);
  if (original !== undefined && options.quick) {
    throw new UsageError("an archive of the original tool has no index for a quick inspection", {
      hint: "inspect all of it",
      settings: ["no-quick"],
    });
  }
  const passphrase = passphraseKeys(await context.passphrase(), report);
  if (original !== undefined) return inspectOriginal(original, passphrase, context);
  const located = await locateBackup(location, context);
  const pool = new SealPool();
  try {
    const backup = await timedKeys(context, () => openNamed(located, passphrase, pool, context));
    if (options.quick) await readWholeIndex(backup, { signal });
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
    await Promise.all([pool.close(), located.close()]);
  }
}

/** Reads every byte of a backup and checks it, as {@link inspectBackup} does. Throws ArchiveError. */
export async function checkContents(
  backup: BackupReader,
  { report, signal }: Pick<OperationContext, "report" | "signal">,
): Promise<void> {
  const thread = new FileThread();
  const reading = { hashOn: thread, signal };
  const check = new ContentsCheck(backup, reading);
  const { objects, records } = backup.metadata.counts;
  const progress = () =>
    report({
      type: "progress",
      phase: "inspect",
      done: check.items,
      total: objects + records,
      unit: "items",
    });
  try {
    // The index is walked beside the archives; its digest is checked on a pass of its own.
    await readWholeIndex(backup, reading);
    for (let number = 0; number < backup.archives.length; number++) {
      await check.visit(number, {
        ...NOTHING,
        settle: async () => {
          throwIfAborted(signal);
          progress();
        },
      });
    }
  } finally {
    await Promise.all([check.close(), thread.close()]);
  }
}

/** Checks all of INDEX.bin. Throws DAMAGED. */
export async function readWholeIndex(backup: BackupReader, reading: ReadOptions): Promise<void> {
  for await (const _ of backup.readIndex(reading)) throwIfAborted(reading.signal);
}

/** Does nothing with what a backup holds. */
const NOTHING: Omit<ContentsVisitor, "settle"> = {
  beginObject: () => {},
  attributes: () => {},
  omapPage: () => {},
  data: () => {},
  endObject: () => {},
  torn: () => {},
  records: () => {},
  leases: () => {},
  tombstones: () => {},
};
