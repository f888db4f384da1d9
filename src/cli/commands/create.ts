import { UsageError } from "../../errors.js";
import { command } from "../command.js";
import { ExitCode } from "../exit-codes.js";
import {
  cephFlags,
  etcdFlags,
  folderFlags,
  includePoolFlag,
  list,
  passphraseFlags,
  sealFlags,
  text,
  toggle,
} from "../flags.js";
import { sealOptions } from "../seal-options.js";
import { cephOptions, etcdOptions, refuseContradictions } from "../targets.js";
import { sayWhatIsLeft } from "../unfinished.js";

export const create = command({
  name: "create",
  describe: "Back up the records of etcd and the objects of Ceph pools into a new folder",
  flags: {
    ...folderFlags,
    "incremental-over": { ...text, describe: "Folder of the backup that this one stands on" },
    ...includePoolFlag,
    "skip-pool": { ...list, default: [] as string[], describe: "A pool to leave out; repeatable" },
    ...etcdFlags,
    ...cephFlags,
    ...sealFlags,
    "keep-going": {
      ...toggle,
      describe: "Leave out what cannot be read, list it, and exit with 3",
    },
    ...passphraseFlags,
  },
  examples: [
    ["$0 create --outputdir my_backup --etcd 127.0.0.1:2379 --skip-ceph", "etcd alone"],
    [
      "$0 create --outputdir my_backup --include-pool btrdbhot --include-pool btrdbcold",
      "etcd and two pools",
    ],
    [
      "$0 create --outputdir incremental --incremental-over my_backup",
      "what changed since my_backup",
    ],
  ],
  async run(args, session) {
    const { createBackup } = await import("../../operations/create.js");
    const pools = { "include-pool": args["include-pool"], "skip-pool": args["skip-pool"] };
    refuseContradictions(args, pools);
    const both = pools["include-pool"].find((pool) => pools["skip-pool"].includes(pool));
    if (both !== undefined) {
      throw new UsageError(`--include-pool and --skip-pool both name ${JSON.stringify(both)}`);
    }
    const { missing } = await sayWhatIsLeft(args.outputdir, session, (context) =>
      createBackup(
        {
          outputDir: args.outputdir,
          etcd: etcdOptions(args),
          ceph: cephOptions(args),
          includePools: pools["include-pool"],
          skipPools: pools["skip-pool"],
          incrementalOver: args["incremental-over"],
          ...sealOptions(args),
          keepGoing: args["keep-going"] === true,
          toolVersion: session.toolVersion,
        },
        context,
      ),
    );
    if (missing === 0) return ExitCode.done;
    session.write("stderr", [
      `backuptool: the backup is incomplete: ${missing} objects could not be read; they are listed above`,
    ]);
    return ExitCode.incomplete;
  },
});
