import { FolderFiles } from "../../archive/backup-files.js";
import type { BackupReader } from "../../archive/backup-reader.js";
import type { PassphraseKeys } from "../../archive/crypto/backup-keys.js";
import { isOriginal } from "../../archive/original/folder.js";
import { OriginalBackup } from "../../archive/original/original-backup.js";
import { SealPool } from "../../archive/seal/seal-pool.js";
import { UsageError } from "../../errors.js";
import { quoted } from "../../quoted.js";
import type { OperationContext } from "../context.js";
import type { OperationEvent } from "../events.js";
import { type BackupLocation, locateBackup, originalFolder } from "./backup-location.js";
import { orderBases } from "./chain-order.js";
import { reportKeyDerivation } from "./derived-keys.js";
import { openNamedBackup } from "./named-backup.js";

/** A backup of this format. */
export interface OpenedBackup {
  readonly kind: "backup";
  readonly backup: BackupReader;
  /** Its own base first. */
  readonly bases: readonly BackupReader[];
  /** See {@link LocatedBackup.local}. */
  readonly local: boolean;
  close(): Promise<void>;
}

/** An archive of the original tool. */
export interface OpenedOriginal {
  readonly kind: "original";
  readonly backup: OriginalBackup;
  /** The newest first. */
  readonly bases: readonly OriginalBackup[];
  close(): Promise<void>;
}

interface OpenOptions {
  readonly location: BackupLocation;
  readonly passphrase: PassphraseKeys;
  /**
   * Folders of the bases, in any order (of the original tool: the oldest first). Empty: the bases in the store. Undefined:
   * the backup alone.
   */
  readonly bases?: readonly string[];
}

/**
 * Finds a backup, derives its keys and opens it. Throws ArchiveError of every code, StoreError, NO_SNAPSHOT, and UsageError
 * for an incomplete chain.
 */
export async function openBackup(
  { location, passphrase, bases }: OpenOptions,
  context: OperationContext,
): Promise<OpenedBackup | OpenedOriginal> {
  const original = await originalFolder(location);
  if (original !== undefined) return await openOriginals(original, bases, passphrase, context);
  const located = await locateBackup(location, context);
  const pool = new SealPool();
  const close = async () => {
    await Promise.all([pool.close(), located.close()]);
  };
  try {
    return await reportKeyDerivation(context, async () => {
      const backup = await openNamedBackup(located, passphrase, pool, context);
      const named = bases?.map((folder) => ({ files: new FolderFiles(folder) })) ?? [];
      const known = bases?.length === 0 ? ((await located.bases?.()) ?? []) : named;
      const others: BackupReader[] = [];
      for (const base of known) others.push(await openNamedBackup(base, passphrase, pool, context));
      const { local } = located;
      return { kind: "backup", backup, bases: orderBases(backup, others), local, close };
    });
  } catch (error) {
    await close();
    throw error;
  }
}

async function openOriginals(
  folder: string,
  bases: readonly string[] = [],
  passphrase: PassphraseKeys,
  context: OperationContext,
): Promise<OpenedOriginal> {
  const opened: OriginalBackup[] = [];
  const close = async () => {
    await Promise.all(opened.map((backup) => backup.close()));
  };
  const open = async (path: string): Promise<OriginalBackup> => {
    const backup = await OriginalBackup.open(path, passphrase, context.signal);
    opened.push(backup);
    return backup;
  };
  try {
    return await reportKeyDerivation(context, async () => {
      const below: OriginalBackup[] = [];
      for (const path of bases) {
        if (!(await isOriginal(path))) {
          throw new UsageError(
            `${quoted(folder)} is an archive of the original tool, and ${quoted(path)} is not`,
            { hint: "a chain is of one kind: convert the archives of the original tool first" },
          );
        }
        below.unshift(await open(path));
      }
      return { kind: "original", backup: await open(folder), bases: below, close };
    });
  } catch (error) {
    await close();
    throw error;
  }
}

/** Identifies the backup that is read: the user may have named `latest`, or expect another. */
export function openedEvent({
  backup,
  bases,
}: Pick<OpenedBackup, "backup" | "bases">): Extract<OperationEvent, { type: "backup-opened" }> {
  const { id, kind, startedAt, finishedAt, etcd } = backup.metadata;
  return {
    type: "backup-opened",
    id,
    kind,
    startedAt,
    finishedAt,
    ...(etcd === null ? {} : { etcdRevision: etcd.revision }),
    bases: bases.map(({ metadata }) => metadata.id),
  };
}
