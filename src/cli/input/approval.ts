import { BackupToolError, UsageError } from "../../errors.js";
import { toggle } from "../../settings/kinds.js";
import type { Session } from "../session.js";
import { confirm } from "./prompts.js";

/** Flags of a command that deletes. */
export const deletionFlags = {
  "dry-run": { ...toggle, describe: "Print what would be deleted, and delete nothing" },
  yes: {
    ...toggle,
    describe: "Delete without asking; required without a terminal, and must be typed",
  },
} as const;

/** Whether to ask before a deletion. @throws UsageError without a terminal and without a flag that answers */
export function asksFirst(
  name: string,
  args: { readonly "dry-run"?: boolean | undefined; readonly yes?: boolean | undefined },
  session: Session,
): boolean {
  if (args.yes || args["dry-run"]) return false;
  const { stdin, stderr } = session.terminal;
  if (!stdin.isTTY || !stderr.isTTY) {
    const stream = stdin.isTTY ? "standard error" : "standard input";
    throw new UsageError(`${name} cannot ask before it deletes: ${stream} is not a terminal`, {
      hint: "use --yes to delete without a question, or --dry-run to see what would be deleted",
    });
  }
  return true;
}

/** Prints what would be deleted and asks. Throws DECLINED. */
export async function approveDeletion(plan: readonly string[], session: Session): Promise<void> {
  session.write("stderr", ["about to delete, for good:", ...plan.map((line) => ` - ${line}`)]);
  if (!(await confirm("delete all of it?", session.terminal))) {
    throw new BackupToolError("DECLINED", "nothing was deleted");
  }
}
