import { UsageError } from "../../errors.js";
import type { StoreDestination } from "../../operations/create/destination.js";
import { command } from "../command.js";
import { ExitCode } from "../exit-codes.js";
import {
  cephFlags,
  etcdFlags,
  folderFlags,
  passphraseFlags,
  repeatable,
  sealFlags,
  skipFlags,
  text,
  toggle,
} from "../flags.js";
import { sealOptions } from "../input/seal-options.js";
import type { Session } from "../session.js";
import { baseLocation, DEFAULT_FOLDER } from "../input/chosen-backup.js";
import {
  secondaryStoreFlags,
  secondaryUploadFlags,
  storeFlags,
  uploadFlags,
} from "../store-flags.js";
import { storeConfig } from "../../snapstore/settings/store-settings.js";
import { uploadSettings } from "../input/upload-settings.js";
import { cephOptions, etcdOptions, refuseNothingToDo } from "../input/targets.js";
import { adviseOnUnfinished } from "../output/unfinished.js";

export const create = command({
  groups: {
    "What to back up": {
      "include-pool": { ...repeatable, describe: "Pool to back up; repeatable (default: all)" },
      "skip-pool": { ...repeatable, describe: "Pool to leave out; repeatable" },
      ...skipFlags,
      "incremental-over": {
        ...text,
        describe: "Base of an incremental: a folder, latest, or a name in the store",
      },
      "keep-going": {
        ...toggle,
        describe: "Leave out what cannot be read, list it, and exit with 3",
      },
    },
    "Where to": { ...folderFlags, ...storeFlags, ...uploadFlags },
    "Secondary store": { ...secondaryStoreFlags, ...secondaryUploadFlags },
    etcd: etcdFlags,
    Ceph: cephFlags,
    "Archive files": sealFlags,
    Passphrase: passphraseFlags,
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
    [
      "$0 create --store s3://bucket/prefix --secondary-store azblob://container/prefix --incremental-over latest",
      "to two stores at once, over the newest backup there",
    ],
  ],
  async run(args, session) {
    const { createBackup } = await import("../../operations/create/create.js");
    const pools = { "include-pool": args["include-pool"], "skip-pool": args["skip-pool"] };
    refuseNothingToDo(args);
    const both = pools["include-pool"].find((pool) => pools["skip-pool"].includes(pool));
    if (both !== undefined) {
      throw new UsageError(`--include-pool and --skip-pool both name ${JSON.stringify(both)}`);
    }
    const store = destination(args, "primary", session);
    const secondaryStore = destination(args, "secondary", session);
    if (store === undefined && secondaryStore !== undefined) {
      throw new UsageError("there is a secondary store and no primary one", {
        hint: "use --store",
      });
    }
    const outputDir = args.outputdir ?? (store === undefined ? DEFAULT_FOLDER : undefined);
    const { missing, secondaryBehind } = await adviseOnUnfinished(outputDir, session, (context) =>
      createBackup(
        {
          outputDir,
          store,
          secondaryStore,
          etcd: etcdOptions(args, session.warn),
          ceph: cephOptions(args, session.warn),
          includePools: pools["include-pool"],
          skipPools: pools["skip-pool"],
          incrementalOver: baseLocation(args["incremental-over"], store?.config),
          ...sealOptions(args),
          keepGoing: args["keep-going"] === true,
          toolVersion: session.toolVersion,
        },
        context,
      ),
    );
    if (missing > 0) {
      session.write("stderr", [
        `backuptool: the backup is incomplete: ${missing} objects could not be read; they are listed above`,
      ]);
    }
    return missing > 0 || secondaryBehind ? ExitCode.incomplete : ExitCode.done;
  },
});

function destination(
  args: object,
  role: "primary" | "secondary",
  { terminal, warn }: Session,
): StoreDestination | undefined {
  const config = storeConfig(args, role, terminal.env, warn);
  return config && { config, ...uploadSettings(args, role) };
}
