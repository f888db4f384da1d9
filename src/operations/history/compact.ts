import { BackupKeys, type PassphraseKeys } from "../../archive/crypto/backup-keys.js";
import { KDF_COSTS, type KdfCost, type KdfName } from "../../archive/crypto/passphrase-key.js";
import type { BackupTarget } from "../../archive/backup-target.js";
import { BackupToolError } from "../../errors.js";
import { SpoolFile } from "../../files/spool-file.js";
import { unnamedFile } from "../../files/unnamed-file.js";
import { quoted } from "../../quoted.js";
import { streamName } from "../../snapshots/streams/stream-name.js";
import { fileAccess } from "../../sources/etcd/file/random-access.js";
import { writeDatabaseInto } from "../../sources/etcd/file/write/write-database.js";
import type { OperationContext } from "../context.js";
import { BackupDestination, type StoreDestination } from "../create/destination.js";
import { archiveSnapshot, rawFacts } from "../create/etcd.js";
import type { SpooledSnapshot, SpoolSettings } from "../create/raw-snapshot.js";
import { type BackupSettings, makeBackup } from "../create/run.js";
import { type HistoryLocation, withHistory } from "./access.js";
import { checkNewest } from "./check-newest.js";
import { followHistory, type OpenedPlan } from "./follow-plan.js";
import type { HistoryAccess } from "./history-access.js";
import { reportChosen } from "./report-chosen.js";
import type { DatabaseOptions } from "./write-snapshot.js";

export interface CompactOptions
  extends HistoryLocation,
    SpoolSettings,
    BackupSettings,
    Omit<DatabaseOptions, "bumpRevision"> {
  readonly store: StoreDestination;
  readonly secondaryStore?: StoreDestination | undefined;
  readonly kdf: KdfName | KdfCost;
}

/**
 * Merges a raw snapshot of etcd and the deltas after it into one raw snapshot, without an etcd: a full backup, so that older
 * ones and their deltas can be deleted. Where the raw snapshot is in a backup of Ceph pools too, it is the base of a stream
 * instead: a full backup without the pools would be the newest one. Throws NOT_NEWEST for a moment before a later raw
 * snapshot. `complete` is false where the secondary store lacks it.
 */
export async function compactHistory(
  options: CompactOptions,
  context: OperationContext,
): Promise<{ complete: boolean }> {
  const newFile = () => SpoolFile.create(options.spoolDir, "spool-dir");
  return await withHistory(options, context, async (access) => {
    const { result, complete } = await followHistory(
      access,
      options.target,
      context,
      newFile,
      (opened) => writeMerged(access, opened, options, context),
    );
    return { complete: complete && !result.behind };
  });
}

async function writeMerged(
  access: HistoryAccess,
  opened: OpenedPlan,
  options: CompactOptions,
  context: OperationContext,
): Promise<{ behind: boolean }> {
  const { base, revision } = opened.plan;
  if (base.revision === revision) {
    const message = `${base.name} is of revision ${revision}: there are no deltas to merge`;
    context.report({ type: "warning", message });
    return { behind: false };
  }
  const { bases } = access.history;
  checkNewest(opened.plan, bases, undefined);
  const merged = await mergedSnapshot(access, opened, options, context);
  try {
    checkNewest(opened.plan, bases, opened.seenMs);
    reportChosen(access.history, opened, context.report);
    return await store(merged, access, opened, options, context);
  } finally {
    await merged.close();
  }
}

/** The database of the plan in a file without a name: a kill leaves nothing of it. */
async function mergedSnapshot(
  { log }: HistoryAccess,
  { plan, database, clusterId = "", log: revisions }: OpenedPlan,
  { unknownLeaseTtlSeconds, spoolDir }: CompactOptions,
  { signal }: OperationContext,
): Promise<SpooledSnapshot> {
  const handle = await unnamedFile(spoolDir).catch((cause: unknown) => {
    throw new BackupToolError("SPOOL", `cannot write into ${quoted(spoolDir)}`, {
      cause,
      hint: "name a folder with enough room for etcd's database",
      settings: ["spool-dir"],
    });
  });
  try {
    const { revision } = plan;
    const compactRevision = await log.compactRevision(plan, signal);
    const out = { handle, where: `the merged database in ${quoted(spoolDir)}` };
    const written = await writeDatabaseInto(database, revisions(), out, {
      revision,
      compactRevision,
      unknownLeaseTtlSeconds,
      signal,
    });
    const file = await fileAccess(handle);
    return { ...written, file, clusterId, endpoint: "", close: () => handle.close() };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function store(
  merged: SpooledSnapshot,
  { passphrase, pool: sealPool }: HistoryAccess,
  { backup, seenMs }: OpenedPlan,
  options: CompactOptions,
  context: OperationContext,
): Promise<{ behind: boolean }> {
  const keys = await newKeys(passphrase, options.kdf, backup.keys);
  const destination = await BackupDestination.open(options.store, options.secondaryStore, context);
  try {
    const { target, snapshot } =
      backup.metadata.ceph === null
        ? await fullBackup(destination, merged, options)
        : streamBase(destination, merged, keys, options);
    // It is not the newest of etcd by being merged late.
    const startedAt = seenMs === undefined ? undefined : new Date(seenMs);
    const into = { target, keys, sealPool, base: undefined, startedAt };
    const metadata = await makeBackup(into, options, context, async ({ writer }) => {
      const raw = await archiveSnapshot(writer, merged, context);
      return { snapshot, ceph: null, etcd: rawFacts(merged.clusterId, raw) };
    });
    await destination.complete(metadata);
    const { behind } = destination;
    const { revision } = merged;
    context.report({ type: "history-compacted", snapshot, revision, bytes: merged.bytes });
    return { behind };
  } finally {
    await destination.close();
  }
}

interface Named {
  readonly target: BackupTarget;
  readonly snapshot: string;
}

function fullBackup(
  destination: BackupDestination,
  { revision }: SpooledSnapshot,
  { archiveSize }: CompactOptions,
): Promise<Named> {
  const name = { kind: "full", firstRevision: 0, lastRevision: revision } as const;
  return destination.target(name, undefined, archiveSize);
}

function streamBase(
  destination: BackupDestination,
  { revision }: SpooledSnapshot,
  { backupId }: BackupKeys,
  { archiveSize }: CompactOptions,
): Named {
  const { text: snapshot } = streamName({
    firstRevision: revision + 1,
    time: Math.floor(Date.now() / 1000),
    id: Buffer.from(backupId).toString("hex"),
  });
  return { target: destination.streamTarget(snapshot, archiveSize), snapshot };
}

/** Of the same salt as the base's, where the cost is the same: one derivation opens both. */
async function newKeys(
  { forNew }: PassphraseKeys,
  kdf: KdfName | KdfCost,
  { slot }: BackupKeys,
): Promise<BackupKeys> {
  return await BackupKeys.create(forNew, typeof kdf === "string" ? KDF_COSTS[kdf] : kdf, slot);
}
