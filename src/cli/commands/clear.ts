import { BackupToolError, UsageError } from "../../errors.js";
import type { ClearPlan } from "../../operations/clear.js";
import { quoted } from "../../quoted.js";
import { command } from "../command.js";
import { ExitCode } from "../exit-codes.js";
import { cephFlags, etcdFlags, includePoolFlag, toggle } from "../flags.js";
import { counted } from "../counted.js";
import { confirm } from "../prompts.js";
import type { Session } from "../session.js";
import { cephOptions, etcdOptions, refuseContradictions } from "../targets.js";

export const clear = command({
  name: "clear",
  describe: "Delete every key of etcd and every object of the named pools",
  flags: {
    ...includePoolFlag,
    ...etcdFlags,
    ...cephFlags,
    "dry-run": { ...toggle, describe: "Print what would be deleted, and delete nothing" },
    yes: { ...toggle, describe: "Do not ask on a terminal" },
  },
  examples: [
    ["$0 clear --etcd 127.0.0.1:2379 --skip-ceph --dry-run", "count the keys of etcd"],
    ["$0 clear --skip-etcd --include-pool btrdbhot --include-pool btrdbcold", "empty two pools"],
  ],
  async run(args, session) {
    const { clearTarget } = await import("../../operations/clear.js");
    refuseContradictions(args, { "include-pool": args["include-pool"] });
    const { stdin, stderr } = session.terminal;
    const asks = stdin.isTTY && !args.yes && !args["dry-run"];
    if (asks && !stderr.isTTY) {
      throw new UsageError("clear cannot ask: standard error is no terminal", {
        hint: "use --yes to delete without being asked",
      });
    }
    await clearTarget(
      {
        etcd: etcdOptions(args),
        ceph: cephOptions(args),
        pools: [...new Set(args["include-pool"])],
        dryRun: args["dry-run"] === true,
        approve: asks ? (plan) => approve(plan, session) : undefined,
      },
      session,
    );
    return ExitCode.done;
  },
});

async function approve(plan: ClearPlan, session: Session): Promise<void> {
  const lines = ["about to delete, for good:"];
  if (plan.etcd !== undefined) {
    const { keys, endpoints } = plan.etcd;
    lines.push(` - ${counted(keys, "key", "keys")} of etcd at ${endpoints.join(", ")}`);
  }
  for (const pool of plan.pools) {
    lines.push(` - all objects of the Ceph pool ${quoted(pool)} in cluster ${plan.fsid ?? ""}`);
  }
  session.write("stderr", lines);
  if (!(await confirm("delete all of it?", session.terminal))) {
    throw new BackupToolError("DECLINED", "nothing was deleted");
  }
}
