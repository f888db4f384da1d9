import { backupLocation } from "../../settings/backup-location.js";
import { cephOptions } from "../../settings/ceph.js";
import {
  cephSettings,
  etcdSettings,
  passphraseSettings,
  skipSettings,
  spoolSettings,
} from "../../settings/declarations.js";
import { quarantineSettings } from "../../settings/member-declarations.js";
import { etcdOptions } from "../../settings/etcd.js";
import { etcdFileSettings, memberSettings, targetSettings } from "../../settings/history.js";
import { choice, repeatable, toggle } from "../../settings/kinds.js";
import { spoolDir } from "../../settings/new-backup.js";
import { checkSomethingToDo, poolMapping } from "../../settings/pools.js";
import type { EtcdOptions } from "../../sources/etcd/options.js";
import type { RestoreOptions } from "../../operations/restore/restore.js";
import { SettingError } from "../../errors.js";
import { command } from "../command.js";
import { ExitCode } from "../exit-codes.js";
import { locationGroups } from "../flag-groups.js";
import { historyRestore } from "../input/history-restore.js";

export const restore = command({
  groups: {
    "What to restore": {
      "restore-pool": {
        ...repeatable,
        describe: "FROM:TO, a pool of the backup and the pool to restore it to; repeatable",
      },
      ...skipSettings,
      "with-base": {
        ...repeatable,
        describe: "Folder of a base of this incremental; name each to restore all in one run",
      },
      leases: {
        ...choice(["regrant", "drop", "keep-forever"]),
        default: "regrant",
        describe: "Keys with a lease: grant a new one, leave them out, or restore them without",
      },
      "check-first": {
        ...toggle,
        describe:
          "Check the whole backup before writing (default: if it is local and the target is not empty; --no-check-first)",
      },
    },
    ...locationGroups,
    "A moment of etcd": { ...targetSettings, ...etcdFileSettings, ...spoolSettings },
    "A new member of etcd": memberSettings,
    etcd: { ...etcdSettings, ...quarantineSettings },
    Ceph: cephSettings,
    Passphrase: passphraseSettings,
  },
  examples: [
    ["$0 restore --outputdir my_backup --etcd 127.0.0.1:2379 --skip-ceph", "etcd alone"],
    [
      "$0 restore --outputdir my_backup --skip-etcd --restore-pool btrdbhot:restore_hot",
      "one pool, under another name",
    ],
    [
      "$0 restore --outputdir incremental --with-base my_backup --skip-etcd --restore-pool btrdbhot:restore_hot",
      "a full backup and an incremental in one run",
    ],
    [
      "$0 restore --store s3://bucket/prefix --snapshot latest --restore-pool btrdbhot:restore_hot",
      "the newest backup of a store and its bases",
    ],
    [
      "$0 restore --store s3://bucket/prefix --target-time 2026-11-28T14:05:00Z --etcd-snapshot-out etcd.db",
      "the database of etcd as it was then, for etcdctl snapshot restore",
    ],
    [
      "$0 restore --store s3://bucket/prefix --etcd-data-dir m1.etcd --name m1",
      "the data dir of a member, as new as the deltas are",
    ],
  ],
  async run(args, session) {
    const { inQuarantine } = await import("../../operations/members/quarantine.js");
    checkSomethingToDo(args);
    const location = backupLocation(args, session);
    const moment = historyRestore(args, location, session);
    if (moment !== undefined) {
      session.report({ type: "ceph-skipped" });
      const { complete } = await moment();
      return complete ? ExitCode.done : ExitCode.incomplete;
    }
    const etcd = etcdOptions(args, session.warn);
    const { restoreBackup } = await import("../../operations/restore/restore.js");
    const options: RestoreOptions = {
      location,
      withBase: args["with-base"],
      etcd,
      ceph: cephOptions(args, session.warn),
      pools: poolMapping(args["restore-pool"]),
      leases: args.leases,
      checkFirst: args["check-first"],
      spoolDir: spoolDir(args),
    };
    const { complete } = await (args["etcd-quarantine"]
      ? inQuarantine(requiredForQuarantine(etcd), session, (onWriting) =>
          restoreBackup({ ...options, onWriting }, session),
        )
      : restoreBackup(options, session));
    return complete ? ExitCode.done : ExitCode.incomplete;
  },
});

function requiredForQuarantine(etcd: EtcdOptions | undefined): EtcdOptions {
  if (etcd !== undefined) return etcd;
  throw new SettingError("etcd-quarantine", "is set, but etcd is left out");
}
