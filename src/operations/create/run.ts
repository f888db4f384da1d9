import type { BackupReader } from "../../archive/backup-reader.js";
import type { BackupTarget } from "../../archive/backup-target.js";
import { type BackupFacts, BackupWriter } from "../../archive/backup-writer.js";
import type { BackupKeys } from "../../archive/crypto/backup-keys.js";
import { type BackupCounts, type Metadata, NO_COUNTS } from "../../archive/metadata.js";
import type { SealPool } from "../../archive/seal/seal-pool.js";
import { throwIfAborted } from "../../errors.js";
import type { OperationContext } from "../context.js";

/** What the parts of a create or convert share. */
export interface BackupRun {
  readonly writer: BackupWriter;
  /** They grow while the backup is made. */
  readonly counts: { -readonly [K in keyof BackupCounts]: BackupCounts[K] };
  readonly base: BackupReader | undefined;
  readonly context: Pick<OperationContext, "report" | "signal">;
}

export interface BackupSettings {
  /** Sealed bytes after which another ARCHIVE file is started. */
  readonly archiveSize: number;
  readonly compressionLevel: number;
  readonly toolVersion: string;
}

/** Makes a backup. `contents` writes its objects and records, and returns facts about them. */
export async function makeBackup(
  into: {
    readonly target: BackupTarget;
    readonly keys: BackupKeys;
    readonly sealPool: SealPool;
    readonly base: BackupReader | undefined;
    /** All that the source was before is in it. Default: now. */
    readonly startedAt?: Date | undefined;
  },
  { archiveSize, compressionLevel, toolVersion }: BackupSettings,
  context: OperationContext,
  contents: (run: BackupRun) => Promise<Pick<BackupFacts, "ceph" | "etcd" | "snapshot">>,
): Promise<Metadata> {
  const { target, keys, sealPool, base, startedAt = new Date() } = into;
  const writer = new BackupWriter({
    target,
    keys,
    sealPool,
    compressionLevel,
    archiveBytes: archiveSize,
    onFile: (name) => context.report({ type: "file-created", name }),
  });
  try {
    const counts = { ...NO_COUNTS };
    await writer.start(base === undefined ? [] : await chainIds(base));
    const facts = await contents({ writer, counts, base, context });
    throwIfAborted(context.signal);
    return await writer.finish({
      kind: base === undefined ? "full" : "incremental",
      base: base?.metadata.id ?? null,
      startedAt: startedAt.toISOString(),
      finishedAt: new Date(Math.max(startedAt.getTime(), Date.now())).toISOString(),
      toolVersion,
      ...facts,
      counts,
    });
  } finally {
    await writer.close();
  }
}

/** Ids of the backups that the base's index refers to, the base itself first. */
async function chainIds(base: BackupReader): Promise<Uint8Array[]> {
  const chain: Uint8Array[] = [];
  for await (const items of base.readIndex()) {
    for (const item of items) {
      if (item.kind !== "backup") return chain;
      chain[item.backup] = item.id;
    }
  }
  return chain;
}
