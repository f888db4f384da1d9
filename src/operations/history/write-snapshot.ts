import { link, rename, rm } from "node:fs/promises";
import { UsageError } from "../../errors.js";
import { syncFolder } from "../../files/sync-folder.js";
import { quoted } from "../../quoted.js";
import { chooseMethod } from "../../sources/etcd/file/write/database-writer.js";
import {
  type WriteFileOptions,
  writeDatabase,
  writeDatabaseInto,
} from "../../sources/etcd/file/write/write-database.js";
import type { WrittenDatabase } from "../../sources/etcd/file/write/write-options.js";
import type { OperationContext } from "../context.js";
import { type HistoryLocation, withHistory } from "./access.js";
import { followHistory, type OpenedPlan } from "./follow-plan.js";
import type { HistoryAccess } from "./history-access.js";
import type { HistoryTarget } from "./history-target.js";
import { type NewPath, newPath } from "./new-path.js";
import { reportChosen } from "./report-chosen.js";
import { UnfinishedFile } from "./unfinished-file.js";
import type { FormerData } from "./unused-token.js";

/** How the database of a moment is written. */
export interface DatabaseOptions {
  readonly target: HistoryTarget;
  /** Let the revisions go on so much higher, so that clients notice. */
  readonly bumpRevision?: number | undefined;
  /** TTL of leases that a key names and no backup knows, seconds. */
  readonly unknownLeaseTtlSeconds: number;
  /** Called with the database that the moment is made of; what it throws ends the restore. */
  readonly checkBase?: ((base: FormerData) => Promise<void>) | undefined;
}

export interface SnapshotOutOptions extends HistoryLocation, DatabaseOptions {
  /** Path of the new file. */
  readonly out: string;
}

/**
 * Writes the database of etcd at a moment as a raw snapshot, which `etcdctl snapshot restore` takes. The file is made beside,
 * and appears only when it is complete and on the disk; it must not exist. `complete` is false where the log lacks what a
 * time would need.
 */
export async function writeEtcdSnapshot(
  options: SnapshotOutOptions,
  context: OperationContext,
): Promise<{ complete: boolean }> {
  const target = await newPath(options.out, "etcd-snapshot-out");
  return await withHistory(options, context, async (access) => {
    const file = target.unfinished();
    try {
      const { result, complete } = await writeHistoryDatabase(
        access,
        options,
        { path: file },
        context,
      );
      await renameToNew(file, target);
      context.report({ type: "etcd-snapshot-made", file: target.path, ...factsOf(result) });
      return { complete };
    } finally {
      await rm(file, { force: true });
    }
  });
}

/** Where a database is written. */
export interface DatabaseOut {
  /** A new name in the folder of the result. */
  readonly path: string;
  /** False for a file that is read at once and then removed. Default: it is on the disk when it is written. */
  readonly sync?: boolean | undefined;
}

/**
 * Writes the database of a moment to a new file; after a failure it is removed. The raw snapshot is taken into this file, which
 * then becomes the database, where not much of it is too late: whoever reads the file may read etcd.
 */
export async function writeHistoryDatabase(
  access: HistoryAccess,
  { target, bumpRevision, unknownLeaseTtlSeconds, checkBase }: DatabaseOptions,
  { path, sync = true }: DatabaseOut,
  context: OperationContext,
): Promise<{ result: WrittenDatabase; complete: boolean }> {
  const { signal, report } = context;
  let file: UnfinishedFile | undefined;
  const newFile = async () => {
    file = await UnfinishedFile.create(path, { sync });
    return file;
  };
  const write = async (opened: OpenedPlan): Promise<WrittenDatabase> => {
    if (file === undefined) throw new TypeError("the raw snapshot is in another file");
    const { plan, facts } = opened;
    await checkBase?.(opened);
    const compactRevision = await access.log.compactRevision(plan, signal);
    let done = 0;
    const written = await writeFrom(opened, file, {
      revision: plan.revision,
      compactRevision,
      bump: bumpRevision,
      unknownLeaseTtlSeconds,
      sync,
      signal,
      onProgress: (bytes) => {
        done += bytes;
        const total = Math.max(done, facts.bytes);
        report({ type: "progress", phase: "write", done, total, unit: "bytes" });
      },
    });
    reportChosen(access.history, opened, report);
    return written;
  };
  try {
    return await followHistory(access, target, context, newFile, write);
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  }
}

/** Makes the database of a plan out of the file of its base. */
async function writeFrom(
  { plan, database, facts, log }: OpenedPlan,
  file: UnfinishedFile,
  options: WriteFileOptions,
): Promise<WrittenDatabase> {
  const method = await chooseMethod(database, facts, plan.revision);
  if (method === "repack") {
    const anew = `${file.where}.new`;
    try {
      const written = await writeDatabase(database, log(), anew, { ...options, method });
      await rename(anew, file.where);
      return written;
    } finally {
      await rm(anew, { force: true });
    }
  }
  const onProgress = (bytes: number): void => {
    file.wrote(bytes);
    options.onProgress?.(bytes);
  };
  const inPlace = { ...options, method, isBase: true, onProgress };
  const written = await writeDatabaseInto(database, log(), file, inPlace);
  await file.finish();
  return written;
}

function factsOf({
  bytes,
  sha256,
  revision,
  compactRevision,
  method,
  unknownLeases,
}: WrittenDatabase) {
  return { bytes, sha256, revision, compactRevision, method, unknownLeases };
}

/** link() fails where the name exists, rename() replaces it; some file systems have no link(). */
async function renameToNew(from: string, { path, folder }: NewPath): Promise<void> {
  try {
    await link(from, path);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === "EEXIST") {
      throw new UsageError(`${quoted(path)} was made by someone else meanwhile`, { cause });
    }
    await newPath(path, "etcd-snapshot-out");
    await rename(from, path);
  }
  await rm(from, { force: true });
  await syncFolder(folder);
}
