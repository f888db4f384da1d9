import { UsageError } from "../../errors.js";
import type { BackupLocation } from "../../operations/open/backup-location.js";
import { parseSnapshotName } from "../../snapshots/name.js";
import type { StoreConfig } from "../../snapstore/config.js";
import type { Merged } from "../command.js";
import { folderFlags, text } from "../flags.js";
import type { Session } from "../session.js";
import { secondaryStoreFlags, storeFlags } from "../store-flags.js";
import { requiredStore, storeConfig } from "../../snapstore/settings/store-settings.js";

/** Where a user of the original tool has a backup who does not say. */
export const DEFAULT_FOLDER = "backup.dir";

const { store, ...storeParts } = storeFlags;

/** Flags of a command that reads a backup, in a folder or in a store. */
export const locationGroups = {
  "Which backup": {
    ...folderFlags,
    store,
    snapshot: { ...text, describe: "Name of the backup in the store (default: latest)" },
    ...storeParts,
  },
  "Secondary store": {
    ...secondaryStoreFlags,
    from: {
      type: "string",
      requiresArg: true,
      choices: ["primary", "secondary", "newest-complete"] as const,
      describe: "Store to read; newest-complete is the one with the newest complete backup",
    },
  },
} as const;

type LocationFlag = keyof Merged<typeof locationGroups>;

const SECONDARY = Object.keys(secondaryStoreFlags) as (keyof typeof secondaryStoreFlags)[];

interface LocationArgs extends Partial<Readonly<Record<LocationFlag, string | undefined>>> {
  readonly from?: "primary" | "secondary" | "newest-complete" | undefined;
}

/** The folder of `--outputdir`, or a snapshot of a store. @throws UsageError */
export function backupLocation(
  args: LocationArgs,
  { terminal: { env }, warn }: Session,
): BackupLocation {
  const { outputdir, snapshot = "latest", from = "primary" } = args;
  if (outputdir !== undefined) return { kind: "folder", folder: outputdir };
  if (from !== "primary") {
    const stores: StoreConfig[] = [];
    if (from === "newest-complete") stores.push(requiredStore(args, "primary", env, warn));
    stores.push(requiredStore(args, "secondary", env, warn));
    return { kind: "snapshot", stores, snapshot };
  }
  const needed = args.snapshot !== undefined || args.from !== undefined;
  const store = needed ? requiredStore(args, from, env, warn) : storeConfig(args, from, env, warn);
  if (store === undefined) {
    const flag = firstGiven(args, SECONDARY);
    if (flag !== undefined) {
      throw new UsageError(`--${flag} is given, but the secondary store is not to be read`, {
        hint: "use --from secondary",
      });
    }
    return { kind: "folder", folder: DEFAULT_FOLDER };
  }
  return { kind: "snapshot", stores: [store], snapshot };
}

function firstGiven(args: LocationArgs, flags: readonly LocationFlag[]): LocationFlag | undefined {
  return flags.find((flag) => args[flag] !== undefined);
}

/** The base of `--incremental-over`: `latest` or a name in the primary store, or else a folder. @throws UsageError */
export function baseLocation(
  given: string | undefined,
  primary: StoreConfig | undefined,
): BackupLocation | undefined {
  if (given === undefined) return undefined;
  const named = given === "latest" || parseSnapshotName(given) !== undefined;
  if (primary !== undefined && named) {
    return { kind: "snapshot", stores: [primary], snapshot: given };
  }
  return { kind: "folder", folder: given };
}
