import type { BackupWriter } from "../../archive/backup-writer.js";
import type { EtcdMode, Metadata, RawSnapshot } from "../../archive/metadata.js";
import { writeSnapshot } from "../../archive/snapshot/write-snapshot.js";
import type { EtcdCluster, EtcdOptions } from "../../sources/etcd/cluster.js";
import { BackupToolError } from "../../errors.js";
import type { OperationContext } from "../context.js";
import {
  checkRawSnapshot,
  type SpooledSnapshot,
  type SpoolSettings,
  spoolRawSnapshot,
} from "./raw-snapshot.js";
import { archiveRecords } from "./records.js";
import type { BackupRun } from "./run.js";

/** How a backup holds etcd. */
export interface EtcdParts extends SpoolSettings {
  readonly etcdMode: EtcdMode;
  /** Take records alone, with a warning, where the database cannot be had: nobody has asked for it. */
  readonly rawIsOptional?: boolean | undefined;
}

/** The database of etcd, where a backup is to hold it. The caller closes it. */
export function spoolIfWanted(
  etcd: EtcdOptions,
  parts: EtcdParts,
  context: Pick<OperationContext, "report" | "signal">,
): Promise<SpooledSnapshot | undefined> {
  return ifPermitted(parts, context, () => spoolRawSnapshot(etcd, parts, context));
}

/**
 * Whether a backup can hold the database of etcd as it is to. Pools may take hours before that, and a login or a disk that
 * does not permit it is known now.
 */
export async function canSpool(
  etcd: EtcdOptions,
  parts: EtcdParts,
  context: Pick<OperationContext, "report" | "signal">,
): Promise<boolean> {
  const check = () => checkRawSnapshot(etcd, parts, context.signal);
  return (await ifPermitted(parts, context, check)) !== undefined;
}

/** The result of `work`; undefined where no database is wanted, or it is optional and cannot be had. */
async function ifPermitted<T>(
  parts: EtcdParts,
  context: Pick<OperationContext, "report">,
  work: () => Promise<T>,
): Promise<T | undefined> {
  if (parts.etcdMode === "records") return undefined;
  try {
    return await work();
  } catch (error) {
    if (parts.rawIsOptional !== true || !isUnavailable(error)) throw error;
    context.report({
      type: "warning",
      message: `the backup holds records of etcd alone, and not its database: ${error.message}`,
      settings: ["etcd-mode"],
    });
    return undefined;
  }
}

/** Of an etcd that does not answer, which fails its records as well, and of a backup that is to end. */
const ENDS_BACKUP: ReadonlySet<string> = new Set([
  "ETCD_UNAVAILABLE",
  "ETCD_TIMEOUT",
  "INTERRUPTED",
  "NOT_LEADER",
]);

/** Whether records can be had where the database cannot: because of the login, the disk, or what etcd sends. */
function isUnavailable(error: unknown): error is BackupToolError {
  return error instanceof BackupToolError && !ENDS_BACKUP.has(error.code);
}

/** Writes the part of a backup that is etcd's: its database where there is one, and its records unless the mode is raw. */
export async function archiveEtcd(
  run: BackupRun,
  etcd: EtcdCluster,
  mode: EtcdMode,
  spooled: SpooledSnapshot | undefined,
): Promise<NonNullable<Metadata["etcd"]>> {
  const snapshot = spooled && (await archiveSnapshot(run.writer, spooled, run.context));
  if (snapshot === undefined) return await archiveRecords(run, etcd);
  // Its space is free before the records are read, which may take a while.
  await spooled?.close();
  if (mode === "raw") return rawFacts(etcd.clusterId, snapshot);
  const records = await archiveRecords(run, etcd, snapshot.revision);
  return { ...records, mode: "both", snapshot };
}

/** Of a backup that holds the database alone. */
export function rawFacts(clusterId: string, snapshot: RawSnapshot): NonNullable<Metadata["etcd"]> {
  const { revision } = snapshot;
  return { clusterId, revision, firstBatch: 0, restarts: 0, mode: "raw", snapshot };
}

/** Writes the database into a backup. Throws SPOOL where the disk did not keep it as it came. */
export async function archiveSnapshot(
  writer: BackupWriter,
  { file, revision, compactRevision, bytes: total, sha256 }: SpooledSnapshot,
  { report, signal }: Pick<OperationContext, "report" | "signal">,
): Promise<RawSnapshot> {
  const written = await writeSnapshot(writer, file, {
    signal,
    onProgress: (done) => report({ type: "progress", phase: "etcd", done, total, unit: "bytes" }),
  });
  if (written.sha256 !== sha256) {
    throw new BackupToolError("SPOOL", "the disk did not keep the database of etcd as it came", {
      hint: "use a folder on another disk",
      settings: ["spool-dir"],
    });
  }
  report({ type: "etcd-snapshot", revision, compactRevision, bytes: written.bytes });
  return { revision, compactRevision, ...written };
}
