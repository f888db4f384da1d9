import { FolderFiles } from "../../archive/backup-files.js";
import type { PassphraseKeys } from "../../archive/crypto/backup-keys.js";
import type { BackupReader } from "../../archive/backup-reader.js";
import { ContentsCheck } from "../../archive/contents-check.js";
import { ArchiveError } from "../../archive/errors.js";
import type { SealPool } from "../../archive/seal/seal-pool.js";
import { UsageError } from "../../errors.js";
import { newCounts } from "../create/counts.js";
import { type BackupLocation, locateBackup, originalFolder } from "../open/backup-location.js";
import type { OperationContext } from "../context.js";
import { INDEX_NAME } from "../../archive/format.js";
import { checkContents, readWholeIndex } from "../inspect/inspect.js";
import { etcdDepth, FinalState } from "./final-state.js";
import { type NamedFiles, openNamed } from "../open/open-named.js";
import { type MissingBase, missingBase } from "./missing-base.js";
import { openedEvent } from "../open/opened-event.js";
import { planOriginals } from "./original.js";
import type { RestorePlan, RestoreStep } from "./plan.js";

/** Opens a backup and its bases. Throws ArchiveError of every code, and UsageError for a chain with holes. */
export async function planRestore(
  from: {
    readonly location: BackupLocation;
    readonly withBase: readonly string[];
    readonly passphrase: PassphraseKeys;
    readonly sealPool: SealPool;
    /** Whether the contents are compared with the index; without it, a damaged INDEX.bin of a backup alone is no matter. */
    readonly withIndex: boolean;
  },
  context: OperationContext,
): Promise<RestorePlan> {
  const { location, withBase, passphrase, sealPool, withIndex } = from;
  const original = await originalFolder(location);
  if (original !== undefined) {
    return planOriginals(original, withBase, passphrase, context.signal);
  }
  const located = await locateBackup(location, context);
  try {
    const open = (one: NamedFiles) => openNamed(one, passphrase, sealPool, context);
    const backup = await open(located);
    const named: NamedFiles[] = withBase.map((folder) => ({ files: new FolderFiles(folder) }));
    const bases = named.length > 0 ? named : ((await located.bases?.()) ?? []);
    const others: BackupReader[] = [];
    for (const base of bases) others.push(await open(base));
    const { local } = located;
    const chain = orderChain(backup, others);
    return planChain(chain, { local, withIndex, close: () => located.close() }, context.signal);
  } catch (error) {
    await located.close();
    throw error;
  }
}

/** `chain` is newest first. */
function planChain(
  chain: readonly BackupReader[],
  from: { readonly local: boolean; readonly withIndex: boolean; close(): Promise<void> },
  signal: AbortSignal,
): RestorePlan {
  const records = etcdDepth(chain);
  const { local, withIndex } = from;
  const checks: ContentsCheck[] = [];
  const steps = chain.map((member, ordinal): RestoreStep => {
    const check = new ContentsCheck(member, { signal, withIndex });
    checks.push(check);
    return {
      ordinal,
      archives: member.archives.length,
      incremental: member.metadata.base !== null,
      withEtcd: ordinal < records,
      visit: (number, visitor) => check.visit(number, visitor),
    };
  });
  const [newest, ...bases] = chain;
  const below = bases.map(({ metadata }) => metadata);
  return {
    opened: newest && openedEvent(newest.metadata, below),
    pools: [...new Set(chain.flatMap(({ metadata }) => metadata.ceph?.pools ?? []))],
    steps: steps.reverse(),
    gaps: [],
    items: (wanted) => itemsToCome(chain, wanted),
    finalState: async (signal) => (chain.length > 1 ? FinalState.load(chain, signal) : undefined),
    local,
    check: async (context) => {
      for (const member of chain) await checkContents(member, context);
    },
    checkIndexes: async (signal) => {
      if (!withIndex) return;
      for (const member of chain) await readWholeIndex(member, { signal });
    },
    missingBase: async (target, signal) => {
      if (newest === undefined || bases.length > 0) return undefined;
      if (withIndex) return await missingBase(newest, target, signal);
      return await unlessIndexDamaged(newest, () => missingBase(newest, target, signal));
    },
    close: async () => {
      for (const check of checks) await check.close();
      await from.close();
    },
  };
}

/** Without the index it cannot be known what an incremental leaves to its base. */
async function unlessIndexDamaged(
  backup: BackupReader,
  look: () => Promise<MissingBase | undefined>,
): Promise<MissingBase | undefined> {
  try {
    return await look();
  } catch (error) {
    if (!(error instanceof ArchiveError) || error.file !== INDEX_NAME) throw error;
    const message = `${backup.where} is an incremental; whether the target holds its base cannot be told, as ${INDEX_NAME} is damaged: ${error.message}`;
    return { message, certain: false };
  }
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
        `the backup ${at.where} is based on ${at.metadata.base}, which is not named`,
        { hint: "name every backup of the chain down to the full one", settings: ["with-base"] },
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
