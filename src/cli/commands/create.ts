import { UsageError } from "../../errors.js";
import { baseLocation, DEFAULT_FOLDER } from "../../settings/backup-location.js";
import { cephOptions } from "../../settings/ceph.js";
import {
  cephSettings,
  etcdModeSettings,
  etcdSettings,
  folderSettings,
  passphraseSettings,
  sealSettings,
  skipSettings,
} from "../../settings/declarations.js";
import { etcdOptions } from "../../settings/etcd.js";
import { repeatable, text, toggle } from "../../settings/kinds.js";
import { etcdParts, sealOptions, storeDestination } from "../../settings/new-backup.js";
import { checkPoolLists, checkSomethingToDo } from "../../settings/pools.js";
import {
  secondaryStoreSettings,
  secondaryUploadSettings,
  storeSettings,
  uploadSettings,
} from "../../settings/store-declarations.js";
import { command } from "../command.js";
import { ExitCode } from "../exit-codes.js";
import { adviseOnUnfinished } from "../output/unfinished.js";

export const create = command({
  groups: {
    "What to back up": {
      "include-pool": { ...repeatable, describe: "Pool to back up; repeatable (default: all)" },
      "skip-pool": { ...repeatable, describe: "Pool to leave out; repeatable" },
      ...skipSettings,
      "incremental-over": {
        ...text,
        describe: "Base of an incremental: a folder, latest, or a name in the store",
      },
      "keep-going": {
        ...toggle,
        describe: "Leave out what cannot be read, list it, and exit with 3",
      },
    },
    "Where to": { ...folderSettings, ...storeSettings, ...uploadSettings },
    "Secondary store": { ...secondaryStoreSettings, ...secondaryUploadSettings },
    etcd: { ...etcdSettings, ...etcdModeSettings },
    Ceph: cephSettings,
    "Archive files": sealSettings,
    Passphrase: passphraseSettings,
  },
  examples: [
    ["$0 create --outputdir my_backup --etcd 127.0.0.1:2379 --skip-ceph", "etcd alone"],
    [
      "$0 create --outputdir my_backup --etcd 127.0.0.1:2379 --skip-ceph --etcd-mode both",
      "etcd's database too: leases, users, revisions",
    ],
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
    const { "include-pool": includePools, "skip-pool": skipPools } = args;
    checkSomethingToDo(args);
    checkPoolLists(includePools, skipPools);
    const store = storeDestination(args, "primary", session);
    const secondaryStore = storeDestination(args, "secondary", session);
    if (store === undefined && secondaryStore !== undefined) {
      throw new UsageError("there is a secondary store and no primary one", {
        hint: "name a primary store",
        settings: ["store"],
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
          includePools,
          skipPools,
          incrementalOver: baseLocation(args["incremental-over"], store?.config),
          ...sealOptions(args),
          ...etcdParts(args),
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
