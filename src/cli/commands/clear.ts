import type { ClearPlan } from "../../operations/clear/clear.js";
import { quoted } from "../../quoted.js";
import { cephOptions } from "../../settings/ceph.js";
import { cephSettings, etcdSettings, skipSettings } from "../../settings/declarations.js";
import { etcdOptions } from "../../settings/etcd.js";
import { repeatable } from "../../settings/kinds.js";
import { checkSomethingToDo } from "../../settings/pools.js";
import { command } from "../command.js";
import { ExitCode } from "../exit-codes.js";
import { approveDeletion, asksFirst, deletionFlags } from "../input/approval.js";
import { counted } from "../output/quantities.js";
import type { Session } from "../session.js";

export const clear = command({
  groups: {
    "What to delete": {
      "include-pool": { ...repeatable, describe: "Pool to empty; repeatable (default: none)" },
      ...skipSettings,
      ...deletionFlags,
    },
    etcd: etcdSettings,
    Ceph: cephSettings,
  },
  examples: [
    ["$0 clear --etcd 127.0.0.1:2379 --skip-ceph --dry-run", "count the keys of etcd"],
    ["$0 clear --skip-etcd --include-pool btrdbhot --include-pool btrdbcold", "empty two pools"],
  ],
  async run(args, session) {
    const { clearTarget } = await import("../../operations/clear/clear.js");
    checkSomethingToDo(args);
    const asks = asksFirst("clear", args, session);
    await clearTarget(
      {
        etcd: etcdOptions(args, session.warn),
        ceph: cephOptions(args, session.warn),
        pools: [...new Set(args["include-pool"])],
        dryRun: args["dry-run"] === true,
        approve: asks ? (plan) => approve(plan, session) : undefined,
      },
      session,
    );
    return ExitCode.done;
  },
});

function approve({ etcd, pools, fsid }: ClearPlan, session: Session): Promise<void> {
  const lines: string[] = [];
  if (etcd !== undefined) {
    const { keys, endpoints } = etcd;
    lines.push(`${counted(keys, "key", "keys")} of etcd at ${endpoints.join(", ")}`);
  }
  for (const pool of pools) {
    lines.push(`all objects of the Ceph pool ${quoted(pool)} in cluster ${fsid ?? ""}`);
  }
  return approveDeletion(lines, session);
}
