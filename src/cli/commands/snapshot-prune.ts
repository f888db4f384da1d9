import { chosenStore } from "../../settings/backup-location.js";
import { age, toggle } from "../../settings/kinds.js";
import { command } from "../command.js";
import { ExitCode } from "../exit-codes.js";
import { eitherStoreGroups } from "../flag-groups.js";

export const snapshotPrune = command({
  groups: {
    "What to delete": {
      "grace-period": {
        ...age,
        default: "24h",
        describe: "Keep what was written to this recently: it may still be in progress",
      },
      "dry-run": { ...toggle, describe: "Print what would be deleted, and delete nothing" },
    },
    ...eitherStoreGroups,
  },
  examples: [
    ["$0 snapshot prune-incomplete --store s3://bucket/prefix --dry-run", "what would go"],
    [
      "$0 snapshot prune-incomplete --store s3://bucket/prefix --grace-period 48h",
      "left-overs older than two days",
    ],
  ],
  async run(args, session) {
    const { pruneStoredLeftOvers } = await import("../../operations/snapshots/prune.js");
    await pruneStoredLeftOvers(
      {
        store: chosenStore(args, session),
        olderThan: new Date(Date.now() - args["grace-period"]),
        dryRun: args["dry-run"] === true,
      },
      session,
    );
    return ExitCode.done;
  },
});
