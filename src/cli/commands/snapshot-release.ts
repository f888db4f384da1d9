import { UsageError } from "../../errors.js";
import { chosenStore } from "../../settings/backup-location.js";
import { command } from "../command.js";
import { ExitCode } from "../exit-codes.js";
import { eitherStoreGroups } from "../flag-groups.js";

export const snapshotRelease = command({
  argument: "NAME",
  groups: eitherStoreGroups,
  examples: [
    [
      "$0 snapshot release Full-00000000-00009002-1565021494 --store s3://bucket/prefix",
      "from now on it may be deleted",
    ],
  ],
  async run(args, session, [snapshot]) {
    const { releaseStoredSnapshot } = await import("../../operations/snapshots/hold.js");
    if (snapshot === undefined) {
      throw new UsageError("snapshot release needs the name of a snapshot", {
        hint: "see backuptool snapshot list",
      });
    }
    await releaseStoredSnapshot({ store: chosenStore(args, session), snapshot }, session);
    return ExitCode.done;
  },
});
