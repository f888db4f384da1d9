import { command } from "../command.js";
import { ExitCode } from "../exit-codes.js";
import { secondaryStoreFlags, storeFlags } from "../store-flags.js";
import { requiredStore, storeConfig } from "../../snapstore/settings/store-settings.js";

export const snapshotList = command({
  groups: { "Primary store": storeFlags, "Secondary store": secondaryStoreFlags },
  examples: [
    ["$0 snapshot list --store s3://bucket/prefix", "one store"],
    [
      "$0 snapshot list --store s3://bucket/prefix --secondary-store file:///mnt/backups --json",
      "two stores, for a program",
    ],
  ],
  async run(args, session) {
    const { listStoredSnapshots } = await import("../../operations/snapshots/list.js");
    const { env } = session.terminal;
    const primary = requiredStore(args, "primary", env, session.warn);
    const secondary = storeConfig(args, "secondary", env, session.warn);
    const whole = await listStoredSnapshots({ primary, secondary, now: new Date() }, session);
    return whole ? ExitCode.done : ExitCode.incomplete;
  },
});
