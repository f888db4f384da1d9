import { etcdSettings } from "../../settings/declarations.js";
import { requiredEtcdOptions } from "../../settings/etcd.js";
import { expectedMembersSettings } from "../../settings/member-declarations.js";
import { parseInitialCluster } from "../../sources/etcd/members/peer-urls.js";
import { command } from "../command.js";
import { ExitCode } from "../exit-codes.js";

export const etcdStatus = command({
  groups: { Members: expectedMembersSettings, etcd: etcdSettings },
  examples: [
    [
      "$0 etcd status --etcd 10.0.0.1:2379,10.0.0.2:2379,10.0.0.3:2379",
      "exit code 3 if one is not healthy",
    ],
    [
      "$0 etcd status --etcd 10.0.0.1:2379 --initial-cluster m1=http://10.0.0.1:2380,m2=http://10.0.0.2:2380",
      "which of the expected members are missing",
    ],
  ],
  async run(args, session) {
    const { clusterStatus } = await import("../../operations/members/status.js");
    const { "initial-cluster": given } = args;
    const expected = given === undefined ? undefined : parseInitialCluster(given);
    const etcd = requiredEtcdOptions(args, session.warn);
    const { leader, problems } = await clusterStatus({ etcd, expected }, session);
    if (leader === undefined) return ExitCode.failed;
    return problems.length === 0 ? ExitCode.done : ExitCode.incomplete;
  },
});
