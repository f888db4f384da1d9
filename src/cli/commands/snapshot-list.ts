import { secondaryStoreSettings, storeSettings } from "../../settings/store-declarations.js";
import { requiredStore, storeConfig } from "../../snapstore/settings/store-settings.js";
import { command } from "../command.js";
import { ExitCode } from "../exit-codes.js";

export const snapshotList = command({
  groups: { "Primary store": storeSettings, "Secondary store": secondaryStoreSettings },
  examples: [
    ["$0 snapshot list --store s3://bucket/prefix", "one store"],
    [
      "$0 snapshot list --store s3://bucket/prefix --secondary-store file:///mnt/backups --json",
      "two stores, for a program",
    ],
  ],
  async run(args, session) {
    const { listStoredSnapshots } = await import("../../operations/snapshots/list.js");
    const { env, warn } = session;
    const primary = requiredStore(args, "primary", env, warn);
    const secondary = storeConfig(args, "secondary", env, warn);
    const whole = await listStoredSnapshots({ primary, secondary, now: new Date() }, session);
    return whole ? ExitCode.done : ExitCode.incomplete;
  },
});
