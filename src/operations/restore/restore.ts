import type { BackupReader } from "../../archive/backup-reader.js";
import { ArchiveError } from "../../archive/errors.js";
import { INDEX_NAME } from "../../archive/format.js";
import { holdsRecords } from "../../archive/metadata.js";
import { BackupToolError, UsageError, withHint } from "../../errors.js";
import { quoted } from "../../quoted.js";
import type { CephOptions } from "../../sources/ceph/cluster.js";
import type { EtcdOptions } from "../../sources/etcd/cluster.js";
import type { EtcdRevision } from "../../sources/etcd/history.js";
import type { LeasePolicy } from "../../sources/etcd/types.js";
import type { BackupLocation } from "../open/backup-location.js";
import { openBaseDatabase } from "../history/base-database.js";
import { putRecordsAt } from "../history/restore-etcd.js";
import { Connections } from "../open/connections.js";
import type { OperationContext } from "../context.js";
import { openBackup, type OpenedBackup } from "../open/open-backup.js";
import { planChain } from "./chain.js";
import { planOriginals } from "./original.js";
import { checkPoolsExist } from "../open/pool-choice.js";
import { EtcdTarget } from "./records.js";
import type { RestorePlan } from "./plan.js";
import { PoolTargets } from "./objects.js";
import { isTargetEmpty } from "./target.js";
import { Restorer } from "./restorer.js";
import { passphraseKeys } from "../open/derived-keys.js";

export interface RestoreOptions {
  readonly location: BackupLocation;
  /**
   * Folders of the bases of a backup in a folder, in any order (of the original tool: the oldest first). Empty: this
   * backup alone, or with its bases if it is in a store.
   */
  readonly withBase: readonly string[];
  readonly etcd?: EtcdOptions | undefined;
  readonly ceph?: CephOptions | undefined;
  /** The pool to restore into, by the pool in the backup. */
  readonly pools: ReadonlyMap<string, string>;
  readonly leases: LeasePolicy;
  /**
   * Read and check all of the backup before anything is written. Undefined: if the backup is on this machine and the
   * target is not empty.
   */
  readonly checkFirst?: boolean | undefined;
  /** Folder for a raw snapshot while its records are restored. */
  readonly spoolDir: string;
  /** Called before anything is written; what it throws ends the restore. */
  readonly onWriting?: (() => Promise<void>) | undefined;
}

/** Restores a backup, or a chain of them. `complete` is false when the backup is known to lack something. */
export async function restoreBackup(
  options: RestoreOptions,
  context: OperationContext,
): Promise<{ complete: boolean }> {
  const { report, signal } = context;
  if (options.etcd === undefined && options.ceph === undefined) {
    throw new UsageError("nothing to restore: both etcd and Ceph are skipped");
  }
  const passphrase = passphraseKeys(await context.passphrase(), report);
  const cleanups: (() => Promise<void>)[] = [];
  try {
    // Connected while the keys are derived.
    const connections = new Connections(options, signal);
    cleanups.push(() => connections.close());
    const { location, withBase: bases } = options;
    const opened = await openBackup({ location, passphrase, bases }, context);
    cleanups.push(() => opened.close());
    const raw = options.etcd && opened.kind === "backup" ? rawAlone(opened) : undefined;
    const withIndex = options.checkFirst !== false;
    const plan =
      opened.kind === "original"
        ? planOriginals(opened, passphrase)
        : planChain(opened, { withIndex, signal });
    cleanups.push(() => plan.close());
    if (plan.opened !== undefined) report(plan.opened);
    for (const message of plan.gaps) report({ type: "warning", message });
    checkMappedPools(plan.pools, [...options.pools.keys()]);

    if (connections.etcd !== undefined) report({ type: "connecting-etcd" });
    const etcd = await connections.etcd;
    let targets: PoolTargets | undefined;
    if (connections.ceph !== undefined) {
      report({ type: "connecting-ceph" });
      const ceph = await connections.ceph;
      checkPoolsExist(await ceph.listPools(), [...options.pools.values()]);
      targets = await PoolTargets.open(ceph, options.pools, signal);
    }
    const target = { etcd, pools: targets };
    const { checkFirst = plan.local && !(await beforeWriting(isTargetEmpty(target, signal))) } =
      options;
    if (checkFirst) await checkPlan(plan, context);
    const { final, missingBase } =
      (await beforeWriting(plan.readIndexes?.(target, { checked: checkFirst, signal }))) ?? {};
    if (missingBase !== undefined) {
      const { message, settings } = missingBase;
      report({ type: "warning", message, settings });
    }
    const base = await beforeWriting(raw && openBaseDatabase(raw, options.spoolDir, context));
    if (base !== undefined) cleanups.push(() => base.close());
    await beforeWriting(options.onWriting?.());
    const keyTarget =
      base === undefined ? etcd && new EtcdTarget(etcd, options.leases, signal) : undefined;
    const restorer = new Restorer(
      { pools: targets, etcd: keyTarget },
      final,
      context,
      plan.count({ etcd: etcd !== undefined, ceph: targets !== undefined }),
    );
    try {
      for (const step of plan.steps) await restorer.restore(step);
    } catch (error) {
      await restorer.abandon(error);
      throw withProgress(error, restorer);
    }
    const put =
      base &&
      etcd &&
      (await putRecordsAt(
        { ...base, plan: base.facts, log: noLog },
        etcd,
        { leases: options.leases },
        context,
      ));
    const whole = (await plan.reportFindings?.(report)) ?? true;
    report({
      type: "restored",
      objects: restorer.objects,
      skippedObjects: restorer.skippedObjects,
      records: restorer.restoredRecords + (put?.records ?? 0),
      removedObjects: restorer.removedObjects,
      removedKeys: restorer.removedKeys,
      expiredRecords: restorer.expiredRecords + (put?.expired ?? 0),
    });
    return { complete: plan.gaps.length === 0 && whole && missingBase?.certain !== true };
  } finally {
    for (const cleanup of cleanups.reverse()) await cleanup();
  }
}

/** The backup with the newest state of etcd in the chain, where that is a raw snapshot alone. */
function rawAlone({ backup, bases }: OpenedBackup): BackupReader | undefined {
  const newest = [backup, ...bases].find(({ metadata }) => metadata.etcd !== null);
  return newest === undefined || holdsRecords(newest.metadata.etcd) ? undefined : newest;
}

async function* noLog(): AsyncGenerator<readonly EtcdRevision[]> {}

async function checkPlan(plan: RestorePlan, context: OperationContext): Promise<void> {
  const { signal, passphrase } = context;
  const report: OperationContext["report"] = (event) =>
    context.report(event.type === "progress" ? { ...event, phase: "check" } : event);
  try {
    await plan.check({ signal, passphrase, report });
  } catch (error) {
    if (!(error instanceof BackupToolError)) throw error;
    const hint =
      "nothing was written; without this check, what comes before the damage is restored";
    throw withHint(error, { hint, settings: ["no-check-first"] });
  }
}

/** Throws UsageError when a mapped pool is in none of the backups. */
function checkMappedPools(held: readonly string[], mapped: readonly string[]): void {
  const missing = mapped.filter((pool) => !held.includes(pool));
  if (missing.length === 0) return;
  throw new UsageError(`the backup has no pool ${missing.map(quoted).join(", ")}`, {
    hint: `it has: ${held.map(quoted).join(", ") || "none"}`,
  });
}

/** Resolves with `work`; its errors get a hint that nothing was restored yet. */
async function beforeWriting<T>(work: Promise<T> | undefined): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    throw withProgress(error, { objects: 0, restoredRecords: 0 });
  }
}

/** Adds what was restored to the hint of an error. */
function withProgress(
  error: unknown,
  { objects, restoredRecords: records }: Pick<Restorer, "objects" | "restoredRecords">,
): unknown {
  const done = `${objects} ceph objects and ${records} etcd records had been restored`;
  const index = error instanceof ArchiveError && error.file === INDEX_NAME;
  if (!(error instanceof BackupToolError)) return error;
  if (!index) return withHint(error, { hint: `${done}; the restore can be run again` });
  const hint = `${done}; without the check, a backup alone is restored without its index`;
  return withHint(error, { hint, settings: ["no-check-first"] });
}
