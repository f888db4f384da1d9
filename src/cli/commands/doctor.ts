import { DEFAULT_FOLDER } from "../../settings/backup-location.js";
import { cephOptions } from "../../settings/ceph.js";
import {
  cephSettings,
  etcdSettings,
  folderSettings,
  skipSettings,
  spoolSettings,
} from "../../settings/declarations.js";
import { etcdOptions } from "../../settings/etcd.js";
import { repeatable } from "../../settings/kinds.js";
import { spoolDir } from "../../settings/new-backup.js";
import { poolMapping } from "../../settings/pools.js";
import { secondaryStoreSettings, storeSettings } from "../../settings/store-declarations.js";
import type { StoreConfig } from "../../snapstore/config.js";
import type { StoreRole } from "../../snapstore/settings/roles.js";
import { type StoreSettings, storeConfig } from "../../snapstore/settings/store-settings.js";
import { command } from "../command.js";
import { ExitCode } from "../exit-codes.js";
import type { Session } from "../session.js";

export const doctor = command({
  groups: {
    "What to check": {
      "include-pool": { ...repeatable, describe: "Pool to read; repeatable (default: all)" },
      "restore-pool": {
        ...repeatable,
        describe: "FROM:TO as for restore: try to write to TO; repeatable",
      },
      ...skipSettings,
    },
    "Where to": { ...folderSettings, ...storeSettings },
    "Secondary store": secondaryStoreSettings,
    etcd: { ...etcdSettings, ...spoolSettings },
    Ceph: cephSettings,
  },
  examples: [
    ["$0 doctor --etcd 127.0.0.1:2379 --include-pool btrdbhot", "what create would need"],
    [
      "$0 doctor --skip-ceph --store s3://bucket/prefix --secondary-store file:///mnt/backups",
      "etcd and two stores",
    ],
    ["$0 doctor --skip-etcd --restore-pool btrdbhot:restore_hot", "whether a pool can be written"],
  ],
  async run(args, session) {
    const { examine } = await import("../../operations/doctor/doctor.js");
    // The check of the keyring has a warning of its own.
    const ceph = cephOptions(args, () => {});
    const primary = storeNamed(args, "primary", session);
    const failed = await examine(
      {
        toolVersion: session.toolVersion,
        etcd: etcdOptions(args, session.warn),
        spoolDir: spoolDir(args),
        ceph: ceph && {
          ceph,
          includePools: args["include-pool"],
          targetPools: [...poolMapping(args["restore-pool"]).values()],
        },
        outputDir: args.outputdir ?? (primary === undefined ? DEFAULT_FOLDER : undefined),
        primary,
        secondary: storeNamed(args, "secondary", session),
      },
      session,
    );
    return failed === 0 ? ExitCode.done : ExitCode.failed;
  },
});

/** Undefined without settings of such a store. An error in them is thrown when the store is asked for. */
function storeNamed(
  args: StoreSettings,
  role: StoreRole,
  { env, warn }: Session,
): (() => StoreConfig) | undefined {
  // Files are read once: a pipe is empty the second time.
  try {
    const config = storeConfig(args, role, env, warn);
    return config && (() => config);
  } catch (error) {
    return () => {
      throw error;
    };
  }
}
