import { etcdSettings } from "../../settings/declarations.js";
import { requiredEtcdOptions } from "../../settings/etcd.js";
import { memberIdentity } from "../../settings/etcd-member.js";
import {
  firstStartSettings,
  joinSettings,
  memberSettings,
} from "../../settings/member-declarations.js";
import { command } from "../command.js";
import { ExitCode } from "../exit-codes.js";

export const etcdJoin = command({
  groups: {
    Member: { ...memberSettings, ...firstStartSettings },
    Join: joinSettings,
    etcd: etcdSettings,
  },
  examples: [
    [
      "$0 etcd join --etcd 10.0.0.1:2379 --name m2 --initial-advertise-peer-urls http://10.0.0.2:2380 --etcd-data-dir /var/lib/etcd/default",
      "the member is added, etcd is started by hand, and it gets its vote",
    ],
    [
      "$0 etcd join --etcd 10.0.0.1:2379 --name m2 --initial-advertise-peer-urls http://10.0.0.2:2380 --etcd-data-dir /var/lib/etcd/default --replace",
      "a member whose disk was lost",
    ],
  ],
  async run(args, session) {
    const { joinCluster } = await import("../../operations/members/join.js");
    await joinCluster(
      {
        ...memberIdentity(args),
        etcd: requiredEtcdOptions(args, session.warn),
        environmentFile: args["environment-file"],
        replace: args.replace === true,
        replaceId: args["replace-id"],
        replaceAfterMs: args["replace-after"],
        allowUnhealthy: args["allow-unhealthy"],
        addOnly: args["add-only"] === true,
        timeoutMs: args["join-timeout"],
      },
      session,
    );
    return ExitCode.done;
  },
});
