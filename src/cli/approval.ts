import { BackupToolError, UsageError } from "../errors.js";
import { toggle } from "./flags.js";
import { confirm } from "./prompts.js";
import type { Session } from "./session.js";

/** Flags of a command that deletes. */
export const deletionFlags = {
  "dry-run": { ...toggle, describe: "Print what would be deleted, and delete nothing" },
  yes: { ...toggle, describe: "Do not ask on a terminal" },
} as const;

/** Whether a deletion is asked for first. @throws UsageError where it should be and cannot be */
export function asksFirst(
  name: string,
  args: { readonly "dry-run"?: boolean | undefined; readonly yes?: boolean | undefined },
  session: Session,
): boolean {
  const { stdin, stderr } = session.terminal;
  const asks = stdin.isTTY && !args.yes && !args["dry-run"];
  if (asks && !stderr.isTTY) {
    throw new UsageError(`${name} cannot ask: standard error is no terminal`, {
      hint: "use --yes to delete without being asked",
    });
  }
  return asks;
}

/** Says what is about to be deleted and asks. Throws DECLINED. */
export async function approveDeletion(plan: readonly string[], session: Session): Promise<void> {
  session.write("stderr", ["about to delete, for good:", ...plan.map((line) => ` - ${line}`)]);
  if (!(await confirm("delete all of it?", session.terminal))) {
    throw new BackupToolError("DECLINED", "nothing was deleted");
  }
}
