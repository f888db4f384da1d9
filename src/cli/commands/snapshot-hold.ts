import { UsageError } from "../../errors.js";
import { chosenStore } from "../../settings/backup-location.js";
import { text } from "../../settings/kinds.js";
import { command } from "../command.js";
import { ExitCode } from "../exit-codes.js";
import { eitherStoreGroups } from "../flag-groups.js";

export const snapshotHold = command({
  argument: "NAME|latest",
  groups: {
    "Which hold": {
      reason: { ...text, describe: "Why it is held, for the listing" },
    },
    ...eitherStoreGroups,
  },
  examples: [
    [
      "$0 snapshot hold latest --store s3://bucket/prefix --reason audit",
      "the newest backup of the primary store, and what it needs",
    ],
    [
      "$0 snapshot hold Full-00000000-00009002-1565021494 --secondary-store s3://bucket/prefix --from secondary",
      "one of the secondary store",
    ],
  ],
  async run(args, session, [snapshot]) {
    const { holdStoredSnapshot } = await import("../../operations/snapshots/hold.js");
    if (snapshot === undefined) {
      throw new UsageError("snapshot hold needs the name of a snapshot, or latest", {
        hint: "see backuptool snapshot list",
      });
    }
    const { reason } = args;
    const store = chosenStore(args, session);
    await holdStoredSnapshot({ store, snapshot, reason, now: new Date() }, session);
    return ExitCode.done;
  },
});
