import { type BackupFiles, FolderFiles } from "../archive/backup-files.js";
import type { PassphraseKeys } from "../archive/backup-keys.js";
import { BackupReader } from "../archive/backup-reader.js";
import { visitArchive } from "../archive/contents.js";
import { ArchiveError } from "../archive/errors.js";
import type { SealPool } from "../archive/seal-pool.js";
import { UsageError } from "../errors.js";
import { newCounts } from "./backup-counts.js";
import { type BackupLocation, locateBackup, originalFolder } from "./backup-location.js";
import type { OperationContext } from "./context.js";
import { etcdDepth, FinalState } from "./restore-chain.js";
import { planOriginals } from "./restore-original.js";
import type { RestorePlan, RestoreStep } from "./restore-plan.js";

/** Opens a backup and its bases. Throws ArchiveError of every code, and UsageError for a chain with holes. */
export async function planRestore(
  from: {
    readonly location: BackupLocation;
    readonly withBase: readonly string[];
    readonly passphrase: PassphraseKeys;
    readonly sealPool: SealPool;
  },
  context: OperationContext,
): Promise<RestorePlan> {
  const { location, withBase, passphrase, sealPool } = from;
  const original = await originalFolder(location);
  if (original !== undefined) {
    return planOriginals(original, withBase, passphrase, context.signal);
  }
  const located = await locateBackup(location, context);
  try {
    const open = (files: BackupFiles) => BackupReader.open(files, passphrase, sealPool);
    const backup = await open(located.files);
    const named = withBase.map((folder) => new FolderFiles(folder));
    const bases = named.length > 0 ? named : ((await located.bases?.()) ?? []);
    const others: BackupReader[] = [];
    for (const base of bases) others.push(await open(base));
    return planChain(orderChain(backup, others), () => located.close());
  } catch (error) {
    await located.close();
    throw error;
  }
}

/** An incremental alone is right only over a target that holds its base. */
function absentBase([backup, base]: readonly BackupReader[]): string[] {
  if (base !== undefined || backup === undefined || backup.metadata.base === null) return [];
  return [
    `${backup.where} is an incremental, and only what changed since its base ${backup.metadata.base} is restored: the target must hold the base already; to restore all of it, name the folders of the bases with --with-base`,
  ];
}

/** `chain` is newest first. */
function planChain(chain: readonly BackupReader[], close: () => Promise<void>): RestorePlan {
  const records = etcdDepth(chain);
  const steps = chain.map(
    (member, ordinal): RestoreStep => ({
      ordinal,
      archives: member.archives.length,
      incremental: member.metadata.base !== null,
      withEtcd: ordinal < records,
      visit: (number, visitor, signal) => visitArchive(member, number, visitor, { signal }),
    }),
  );
  return {
    pools: [...new Set(chain.flatMap(({ metadata }) => metadata.ceph?.pools ?? []))],
    steps: steps.reverse(),
    gaps: [],
    warnings: absentBase(chain),
    items: (wanted) => itemsToCome(chain, wanted),
    finalState: async (signal) => (chain.length > 1 ? FinalState.load(chain, signal) : undefined),
    close,
  };
}

/** The backup and its bases, newest first. Throws UsageError when one is missing or does not belong. */
function orderChain(backup: BackupReader, others: readonly BackupReader[]): BackupReader[] {
  const chain = [backup];
  if (others.length === 0) return chain;
  const left = new Set(others);
  for (let at = backup; at.metadata.base !== null; ) {
    const base = others.find((other) => other.metadata.id === at.metadata.base);
    if (base === undefined) {
      throw new UsageError(
        `the backup ${at.where} stands on ${at.metadata.base}, which no --with-base names`,
        { hint: "name every backup of the chain down to the full one" },
      );
    }
    left.delete(base);
    chain.push(base);
    at = base;
  }
  for (const other of left) {
    throw new ArchiveError(
      "DOES_NOT_BELONG",
      `the backup in ${other.where} is no base of ${backup.where}`,
    );
  }
  return chain;
}

/** Each object once, and every record of the backups that count. */
function itemsToCome(
  chain: readonly BackupReader[],
  wanted: { etcd: boolean; ceph: boolean },
): number {
  const { objects, unchangedObjects } = chain[0]?.metadata.counts ?? newCounts();
  const records = chain
    .slice(0, etcdDepth(chain))
    .reduce((sum, { metadata }) => sum + metadata.counts.records, 0);
  const inCeph = objects + (chain.length > 1 ? unchangedObjects : 0);
  return (wanted.ceph ? inCeph : 0) + (wanted.etcd ? records : 0);
}
