import { UsageError } from "../../errors.js";
import type { OperationEvent } from "../../operations/events.js";
import { backupLocation } from "../../settings/backup-location.js";
import { passphraseSettings } from "../../settings/declarations.js";
import { command } from "../command.js";
import { ExitCode } from "../exit-codes.js";
import { locationGroups } from "../flag-groups.js";

/** Events for standard error. */
const REPORTED: ReadonlySet<OperationEvent["type"]> = new Set([
  "warning",
  "missing",
  "backup-opened",
  "note",
]);

export const cat = command({
  groups: { ...locationGroups, Passphrase: passphraseSettings },
  examples: [
    ["$0 cat --outputdir my_backup | tar -t", "list it"],
    ["$0 cat --outputdir my_backup | tar -x -C empty_folder", "unpack it"],
  ],
  async run(args, session) {
    const { catBackup } = await import("../../operations/cat/cat.js");
    const { stdout } = session.terminal;
    if (session.json) throw new UsageError("--json contradicts cat: both need standard output");
    if (stdout.isTTY) {
      throw new UsageError("a tar is not for a terminal", { hint: "add | tar -t, or > FILE" });
    }
    const { signal, passphrase, stateFolder } = session;
    const { complete } = await catBackup(
      { location: backupLocation(args, session), output: stdout },
      // Standard output is for the tar; events go to standard error.
      {
        signal,
        passphrase,
        stateFolder,
        report: (event) => {
          if (REPORTED.has(event.type)) session.report(event);
        },
      },
    );
    return complete ? ExitCode.done : ExitCode.incomplete;
  },
});
