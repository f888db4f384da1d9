import { UsageError } from "../../errors.js";
import { chosenStore } from "../../settings/backup-location.js";
import { formatSize } from "../../size-text.js";
import { command } from "../command.js";
import { ExitCode } from "../exit-codes.js";
import { eitherStoreGroups } from "../flag-groups.js";
import { approveDeletion, asksFirst, deletionFlags } from "../input/approval.js";

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
  async run(args, session, [snapshot]) {
    const { deleteStoredSnapshot } = await import("../../operations/snapshots/delete.js");
    if (snapshot === undefined) {
      throw new UsageError("snapshot delete needs the name of a snapshot", {
        hint: "see backuptool snapshot list",
      });
    }
    // The newest may be another by the time of the deletion.
    if (snapshot === "latest") throw new UsageError("snapshot delete takes a name, not latest");
    const asks = asksFirst("snapshot delete", args, session);
    await deleteStoredSnapshot(
      {
        store: chosenStore(args, session),
        snapshot,
        dryRun: args["dry-run"] === true,
        approve: asks
          ? ({ name, state, bytes }, store) => {
              const what = `${name} (${state}, ${formatSize(bytes)}) in ${store}`;
              return approveDeletion([what], session);
            }
          : undefined,
      },
      session,
    );
    return ExitCode.done;
  },
});
