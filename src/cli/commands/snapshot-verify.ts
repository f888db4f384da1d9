import { chosenStore } from "../../settings/backup-location.js";
import { dataSubset } from "../../settings/data-subset.js";
import { toggle } from "../../settings/kinds.js";
import { command } from "../command.js";
import { ExitCode } from "../exit-codes.js";
import { eitherStoreGroups } from "../flag-groups.js";

export const snapshotVerify = command({
  argument: "[NAME|latest]",
  groups: {
    "What to check": {
      "read-data": { ...toggle, describe: "Read every file and check its SHA-256" },
      "read-data-subset": {
        ...dataSubset,
        describe: "Read some files: 5% at random, or 2/10, the second of ten groups",
      },
    },
    ...eitherStoreGroups,
  },
  examples: [
    ["$0 snapshot verify latest --store s3://bucket/prefix", "files and sizes of the newest"],
    [
      "$0 snapshot verify Full-00000000-00009002-1565021494 --store s3://bucket/prefix --read-data",
      "every byte of one",
    ],
    ["$0 snapshot verify latest --store s3://bucket/prefix --read-data-subset 5%", "a sample"],
  ],
  async run(args, session, [snapshot = "latest"]) {
    const { verifyStoredSnapshot } = await import("../../operations/snapshots/verify.js");
    const damaged = await verifyStoredSnapshot(
      {
        store: chosenStore(args, session),
        snapshot,
        selection: args["read-data-subset"] ?? { kind: args["read-data"] ? "all" : "none" },
      },
      session,
    );
    return damaged === 0 ? ExitCode.done : ExitCode.damaged;
  },
});
