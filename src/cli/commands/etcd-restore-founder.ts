import { SettingError } from "../../errors.js";
import type { WriteFounderData } from "../../operations/members/founder.js";
import { backupLocation } from "../../settings/backup-location.js";
import { etcdSettings, passphraseSettings } from "../../settings/declarations.js";
import { requiredEtcdOptions } from "../../settings/etcd.js";
import { memberIdentity } from "../../settings/etcd-member.js";
import {
  etcdFileSettings,
  historyTarget,
  targetSettings,
  unknownLeaseTtl,
} from "../../settings/history.js";
import { text, toggle, type Values } from "../../settings/kinds.js";
import {
  firstStartSettings,
  formerMembersSettings,
  memberSettings,
  newClusterSettings,
} from "../../settings/member-declarations.js";
import { parseInitialCluster } from "../../sources/etcd/members/peer-urls.js";
import { command, flagsOf } from "../command.js";
import { ExitCode } from "../exit-codes.js";
import { locationGroups } from "../flag-groups.js";
import type { Session } from "../session.js";

const groups = {
  "What to restore": {
    "snapshot-file": {
      ...text,
      describe: "Raw snapshot in a file, as of `etcdctl snapshot save`, instead of a backup",
    },
    "skip-hash-check": {
      ...toggle,
      describe:
        "Do not check the SHA-256 at the end of the snapshot file: one that was copied out of a data directory has none",
    },
    ...targetSettings,
    "bump-revision": etcdFileSettings["bump-revision"],
    "unknown-lease-ttl": etcdFileSettings["unknown-lease-ttl"],
  },
  Member: { ...memberSettings, ...newClusterSettings, ...firstStartSettings },
  ...locationGroups,
  "Former members, none of which may answer": { ...formerMembersSettings, ...etcdSettings },
  Passphrase: passphraseSettings,
} as const;
const flags = flagsOf(groups);

export const etcdRestoreFounder = command({
  groups,
  examples: [
    [
      "$0 etcd restore-founder --store s3://bucket/prefix --name m1 --initial-advertise-peer-urls http://10.0.0.1:2380 --etcd-data-dir /var/lib/etcd/default --etcd 10.0.0.1:2379,10.0.0.2:2379,10.0.0.3:2379",
      "from the newest backup of a store",
    ],
    [
      "$0 etcd restore-founder --snapshot-file snapshot.db --name m1 --initial-advertise-peer-urls http://10.0.0.1:2380 --etcd-data-dir /var/lib/etcd/default",
      "from a raw snapshot",
    ],
  ],
  async run(args, session) {
    const { restoreFounder } = await import("../../operations/members/founder.js");
    const { "initial-cluster": former } = args;
    const options = {
      ...memberIdentity(args),
      token: args["initial-cluster-token"],
      former: former === undefined ? [] : [...parseInitialCluster(former).values()].flat(),
      presumedLost: args["presume-lost"],
      etcd: requiredEtcdOptions(args, session.warn),
      environmentFile: args["environment-file"],
    };
    const data = await founderData(args, session);
    const { complete } = await restoreFounder(options, data, session);
    return complete ? ExitCode.done : ExitCode.incomplete;
  },
});

async function founderData(
  args: Values<typeof flags>,
  session: Session,
): Promise<WriteFounderData> {
  const { dataOfFile, dataOfHistory } = await import("../../operations/members/founder-data.js");
  const { "snapshot-file": path } = args;
  if (path === undefined && args["skip-hash-check"] === true) {
    throw new SettingError("skip-hash-check", "is of a snapshot file", {
      hint: "what a backup holds is always checked",
      settings: ["snapshot-file"],
    });
  }
  const target = historyTarget(args) ?? { kind: "newest" };
  const database = {
    bumpRevision: args["bump-revision"],
    unknownLeaseTtlSeconds: unknownLeaseTtl(args),
  };
  if (path !== undefined) {
    const skipHashCheck = args["skip-hash-check"] === true;
    if (target.kind === "time") {
      throw new SettingError("target-time", "is not known of a snapshot file", {
        hint: "name a revision that the file holds",
        settings: ["target-revision"],
      });
    }
    const revision = target.kind === "revision" ? target.revision : undefined;
    return dataOfFile({ path, skipHashCheck, revision, ...database }, session);
  }
  const location = backupLocation(args, session);
  return dataOfHistory({ location, target, ...database }, session);
}
