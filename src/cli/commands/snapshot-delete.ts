import { UsageError } from "../../errors.js";
import { approveDeletion, asksFirst, deletionFlags } from "../input/approval.js";
import { command } from "../command.js";
import { ExitCode } from "../exit-codes.js";
import { formatSize } from "../input/sizes.js";
import { chosenStore, eitherStoreGroups } from "../input/chosen-store.js";

export const snapshotDelete = command({
  argument: "NAME",
  groups: { "What to delete": deletionFlags, ...eitherStoreGroups },
  examples: [
    [
      "$0 snapshot delete Full-00000000-00009002-1565021494 --store s3://bucket/prefix --dry-run",
      "what would go",
    ],
    [
      "$0 snapshot delete Full-00000000-00009002-1565021494 --store s3://bucket/prefix --yes",
      "from a script",
    ],
  ],
  async run(args, session) {
    const { deleteStoredSnapshot } = await import("../../operations/snapshots/delete.js");
    const [given] = args._;
    if (given === undefined) {
      throw new UsageError("snapshot delete needs the name of a snapshot", {
        hint: "see backuptool snapshot list",
      });
    }
    // What is newest changes while one types.
    if (given === "latest") throw new UsageError("snapshot delete takes a name, not latest");
    const asks = asksFirst("snapshot delete", args, session);
    await deleteStoredSnapshot(
      {
        store: chosenStore(args, session),
        snapshot: String(given),
        dryRun: args["dry-run"] === true,
        approve: asks
          ? ({ name, state, facts, left }, store) => {
              const size = formatSize(facts?.bytes ?? left?.bytes ?? 0);
              return approveDeletion([`${name.text} (${state}, ${size}) in ${store}`], session);
            }
          : undefined,
      },
      session,
    );
    return ExitCode.done;
  },
});
