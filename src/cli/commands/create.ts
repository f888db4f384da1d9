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
  text,
  toggle,
} from "../flags.js";
import { parseSize } from "../sizes.js";
import { cephOptions, etcdOptions, refuseContradictions } from "../targets.js";
import { sayWhatIsLeft } from "../unfinished.js";

const MIN_ARCHIVE_BYTES = 1 << 20;

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
    "archive-size": { ...text, default: "2GiB", describe: "Size at which the next file begins" },
    "compression-level": { ...text, default: "3", describe: "Level of zstd, 1 to 19" },
    kdf: {
      type: "string",
      requiresArg: true,
      choices: ["moderate", "sensitive"] as const,
      default: "moderate" as const,
      describe: "Cost of guessing the passphrase",
    },
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
    const archiveSize = parseSize("archive-size", args["archive-size"]);
    if (archiveSize < MIN_ARCHIVE_BYTES) {
      throw new UsageError(`--archive-size ${args["archive-size"]} is under 1MiB`);
    }
    const compressionLevel = Number(args["compression-level"]);
    if (!Number.isInteger(compressionLevel) || compressionLevel < 1 || compressionLevel > 19) {
      throw new UsageError(
        `--compression-level ${JSON.stringify(args["compression-level"])} is not a number from 1 to 19`,
      );
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
          archiveSize,
          compressionLevel,
          kdf: args.kdf,
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
