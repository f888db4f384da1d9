import { withHint, BackupToolError } from "../../errors.js";
import { SpoolFile } from "../../files/spool-file.js";
import type { EtcdCluster, EtcdOptions } from "../../sources/etcd/cluster.js";
import { recordsAt } from "../../sources/etcd/file/records-at.js";
import type { EtcdLease, EtcdRecord, LeasePolicy } from "../../sources/etcd/types.js";
import type { OperationContext } from "../context.js";
import type { SpoolSettings } from "../create/raw-snapshot.js";
import { Connections } from "../open/connections.js";
import { EtcdTarget } from "../restore/records.js";
import { type HistoryLocation, withHistory } from "./access.js";
import { followHistory, type OpenedPlan } from "./follow-plan.js";
import type { HistoryTarget } from "./history-target.js";
import { reportChosen } from "./report-chosen.js";

export interface RestoreEtcdOptions extends HistoryLocation, SpoolSettings {
  readonly target: HistoryTarget;
  readonly etcd: EtcdOptions;
  readonly leases: LeasePolicy;
  /** TTL of leases that have ended since the moment, so that no backup knows them, seconds. */
  readonly unknownLeaseTtlSeconds: number;
  /** Called before anything is written; what it throws ends the restore. */
  readonly onWriting?: (() => Promise<void>) | undefined;
}

/** A database whose records at a revision are put into a cluster. */
type RecordSource = Pick<OpenedPlan, "database" | "log"> & {
  readonly plan: { readonly revision: number };
};

/**
 * Puts the records of etcd at a moment into a live cluster, whose revisions go on. `complete` is false where the log lacks
 * what a time would need.
 */
export async function restoreEtcdAt(
  options: RestoreEtcdOptions,
  context: OperationContext,
): Promise<{ complete: boolean }> {
  const { target, etcd, spoolDir } = options;
  const { report, signal } = context;
  const newFile = () => SpoolFile.create(spoolDir, "spool-dir");
  return await withHistory(options, context, async (access) => {
    const connections = new Connections({ etcd }, signal);
    try {
      const { result, complete } = await followHistory(
        access,
        target,
        context,
        newFile,
        async (opened) => {
          report({ type: "connecting-etcd" });
          const cluster = await connections.etcd;
          if (cluster === undefined) throw new TypeError("there is no connection to etcd");
          const put = await putRecordsAt(opened, cluster, options, context);
          reportChosen(access.history, opened, report);
          return put;
        },
      );
      report({
        type: "restored",
        objects: 0,
        skippedObjects: 0,
        records: result.records,
        removedObjects: 0,
        removedKeys: 0,
        expiredRecords: result.expired,
      });
      return { complete };
    } finally {
      await connections.close();
    }
  });
}

/** Puts the keys that live at the revision of a plan into a cluster. */
export async function putRecordsAt(
  { plan, database, log }: RecordSource,
  cluster: EtcdCluster,
  {
    leases: policy,
    unknownLeaseTtlSeconds: grantedTtl,
    onWriting,
  }: Pick<RestoreEtcdOptions, "leases" | "onWriting"> &
    Partial<Pick<RestoreEtcdOptions, "unknownLeaseTtlSeconds">>,
  { report, signal }: Pick<OperationContext, "report" | "signal">,
): Promise<{ records: number; expired: number }> {
  const { records: total, leases, batches } = await recordsAt(database, log, plan.revision, signal);
  report({ type: "etcd-goes-on", revision: await cluster.currentRevision(signal) });
  await onWriting?.();
  const target = new EtcdTarget(cluster, policy, signal, true);
  target.addLeases([...leases].map(([id, ttl]) => ({ id, grantedTtl: ttl })));
  try {
    for await (const batch of batches()) {
      if (grantedTtl !== undefined) {
        target.addLeases(unknownLeases(batch, leases, grantedTtl));
      }
      // They are views on memory of the database's blocks, and several transactions are in flight.
      await target.put(batch.map(copyOf));
      const done = target.records;
      report({ type: "progress", phase: "restore", done, total, unit: "records" });
    }
    await target.drain();
  } catch (error) {
    await target.abandon(error);
    if (!(error instanceof BackupToolError)) throw error;
    const hint = `${target.records} etcd records had been restored; the restore can be run again`;
    throw withHint(error, { hint });
  }
  return { records: target.records, expired: target.expired };
}

/**
 * Leases that neither the database nor a delta names: they had ended by the time of the raw snapshot, or when the writer of
 * the deltas asked for them.
 */
function unknownLeases(
  records: readonly EtcdRecord[],
  known: ReadonlyMap<bigint, number>,
  grantedTtl: number,
): EtcdLease[] {
  return records
    .filter(({ lease }) => lease !== 0n && !known.has(lease))
    .map(({ lease }) => ({ id: lease, grantedTtl }));
}

function copyOf(record: EtcdRecord): EtcdRecord {
  return { ...record, key: Buffer.from(record.key), value: Buffer.from(record.value) };
}
