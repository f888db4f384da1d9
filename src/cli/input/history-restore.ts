import { SettingError } from "../../errors.js";
import type { BackupLocation } from "../../operations/open/backup-location.js";
import type { etcdSettings, skipSettings, spoolSettings } from "../../settings/declarations.js";
import { etcdOptions } from "../../settings/etcd.js";
import {
  type etcdFileSettings,
  historyTarget,
  memberOptions,
  type memberSettings,
  type targetSettings,
  unknownLeaseTtl,
} from "../../settings/history.js";
import type { Values } from "../../settings/kinds.js";
import { spoolDir } from "../../settings/new-backup.js";
import type { LeasePolicy } from "../../sources/etcd/types.js";
import type { Session } from "../session.js";

type HistoryValues = Values<
  typeof targetSettings &
    typeof etcdFileSettings &
    typeof memberSettings &
    typeof spoolSettings &
    typeof etcdSettings &
    Pick<typeof skipSettings, "skip-etcd">
> & { readonly leases: LeasePolicy; readonly "etcd-quarantine"?: boolean | undefined };

/**
 * The restore of a moment of etcd, where the settings ask for one: into a file, a data dir or a cluster. Undefined for a
 * restore of a backup. @throws UsageError
 */
export function historyRestore(
  values: HistoryValues,
  location: BackupLocation,
  session: Session,
): (() => Promise<{ complete: boolean }>) | undefined {
  const wanted = historyTarget(values);
  const { "etcd-snapshot-out": out, "etcd-data-dir": dir, "bump-revision": bumpRevision } = values;
  const source = { location, target: wanted ?? NEWEST };
  const database = { ...source, bumpRevision, unknownLeaseTtlSeconds: unknownLeaseTtl(values) };
  if (out !== undefined) {
    return async () => {
      const { writeEtcdSnapshot } = await import("../../operations/history/write-snapshot.js");
      return await writeEtcdSnapshot({ ...database, out }, session);
    };
  }
  if (dir !== undefined) {
    const member = memberOptions(values);
    return async () => {
      const { makeEtcdDataDir } = await import("../../operations/history/make-data-dir.js");
      return await makeEtcdDataDir({ ...database, dir, member }, session);
    };
  }
  if (bumpRevision !== undefined) {
    throw new SettingError("bump-revision", "is of a file or a data dir of etcd", {
      hint: "a live cluster counts its own revisions: name what to make",
      settings: ["etcd-snapshot-out", "etcd-data-dir"],
    });
  }
  const etcd = etcdOptions(values, session.warn);
  if (wanted === undefined || etcd === undefined) return undefined;
  const { leases } = values;
  return async () => {
    const { restoreEtcdAt } = await import("../../operations/history/restore-etcd.js");
    const unknownLeaseTtlSeconds = unknownLeaseTtl(values);
    const spool = { spoolDir: spoolDir(values) };
    const options = { ...source, ...spool, etcd, leases, unknownLeaseTtlSeconds };
    if (!values["etcd-quarantine"]) return await restoreEtcdAt(options, session);
    const { inQuarantine } = await import("../../operations/members/quarantine.js");
    return await inQuarantine(etcd, session, (onWriting) =>
      restoreEtcdAt({ ...options, onWriting }, session),
    );
  };
}

/** Of a backup that was named, its own revision. */
const NEWEST = { kind: "newest" } as const;
