import { command } from "../command.js";
import { ExitCode } from "../exit-codes.js";
import { cephFlags, etcdFlags, list, passphraseFlags, toggle } from "../flags.js";
import { backupLocation, locationFlags } from "../input/chosen-backup.js";
import { cephOptions, etcdOptions, poolMapping, refuseNothingToDo } from "../input/targets.js";

export const restore = command({
  name: "restore",
  describe: "Put the records of a backup into etcd and its objects into Ceph pools",
  flags: {
    ...locationFlags,
    "with-base": {
      ...list,
      default: [] as string[],
      describe: "Folder of a backup below this one; name the whole chain to restore it in one run",
    },
    "restore-pool": {
      ...list,
      default: [] as string[],
      describe: "FROM:TO, a pool in the backup and the pool to restore it into; repeatable",
    },
    ...etcdFlags,
    ...cephFlags,
    leases: {
      type: "string",
      requiresArg: true,
      choices: ["regrant", "drop", "keep-forever"] as const,
      default: "regrant" as const,
      describe: "Keys that had a lease: give them a new one, leave them out, or keep them without",
    },
    "check-first": {
      ...toggle,
      describe:
        "Check all of the backup before anything is written; by default where it is local and the target is not empty (--no-check-first)",
    },
    ...passphraseFlags,
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
      "the newest backup of a store, with all that it stands on",
    ],
  ],
  async run(args, session) {
    const { restoreBackup } = await import("../../operations/restore/restore.js");
    refuseNothingToDo(args);
    const location = backupLocation(args, session);
    const { complete } = await restoreBackup(
      {
        location,
        withBase: args["with-base"],
        etcd: etcdOptions(args, session.warn),
        ceph: cephOptions(args, session.warn),
        pools: poolMapping(args["restore-pool"]),
        leases: args.leases,
        checkFirst: args["check-first"],
      },
      session,
    );
    return complete ? ExitCode.done : ExitCode.incomplete;
  },
});
