import { parseAge } from "../output/ages.js";
import { command } from "../command.js";
import { ExitCode } from "../exit-codes.js";
import { text, toggle } from "../flags.js";
import { chosenStore, eitherStoreGroups } from "../input/chosen-store.js";

export const snapshotPrune = command({
  groups: {
    "What to delete": {
      "grace-period": {
        ...text,
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
    const grace = parseAge("grace-period", args["grace-period"]);
    await pruneStoredLeftOvers(
      {
        store: chosenStore(args, session),
        olderThan: new Date(Date.now() - grace),
        dryRun: args["dry-run"] === true,
      },
      session,
    );
    return ExitCode.done;
  },
});
