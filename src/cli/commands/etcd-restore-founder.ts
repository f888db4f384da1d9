import { SettingError } from "../../errors.js";
import { etcdSettings } from "../../settings/declarations.js";
import { requiredEtcdOptions } from "../../settings/etcd.js";
import { memberIdentity } from "../../settings/etcd-member.js";
import { text, toggle } from "../../settings/kinds.js";
import {
  firstStartSettings,
  formerMembersSettings,
  memberSettings,
  newClusterSettings,
} from "../../settings/member-declarations.js";
import { parseInitialCluster } from "../../sources/etcd/members/peer-urls.js";
import { command } from "../command.js";
import { ExitCode } from "../exit-codes.js";

export const etcdRestoreFounder = command({
  groups: {
    "What to restore": {
      "snapshot-file": {
        ...text,
        describe: "Raw snapshot, as of `etcdctl snapshot save`",
      },
      "skip-hash-check": {
        ...toggle,
        describe: "The snapshot file was copied out of a data directory, and has no hash",
      },
    },
    Member: { ...memberSettings, ...newClusterSettings, ...firstStartSettings },
    "Former members, none of which may answer": { ...formerMembersSettings, ...etcdSettings },
  },
  examples: [
    [
      "$0 etcd restore-founder --snapshot-file snapshot.db --name m1 --initial-advertise-peer-urls http://10.0.0.1:2380 --etcd-data-dir /var/lib/etcd/default --etcd 10.0.0.1:2379,10.0.0.2:2379,10.0.0.3:2379",
      "from a raw snapshot",
    ],
  ],
  async run(args, session) {
    const { restoreFounder } = await import("../../operations/members/founder.js");
    const { dataOfFile } = await import("../../operations/members/founder-data.js");
    const { "initial-cluster": given } = args;
    const file = args["snapshot-file"];
    if (file === undefined) throw new SettingError("snapshot-file", "is needed");
    const member = memberIdentity(args);
    await restoreFounder(
      {
        ...member,
        token: args["initial-cluster-token"],
        former: given === undefined ? [] : [...parseInitialCluster(given).values()].flat(),
        etcd: requiredEtcdOptions(args, session.warn),
        environmentFile: args["environment-file"],
      },
      () =>
        dataOfFile(file, {
          skipHashCheck: args["skip-hash-check"] === true,
          signal: session.signal,
        }),
      session,
    );
    return ExitCode.done;
  },
});
