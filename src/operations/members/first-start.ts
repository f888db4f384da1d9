import type { ClusterMember } from "../../sources/etcd/members/member-list.js";
import { idText } from "../../sources/etcd/members/member-list.js";
import { checkPeerUrl, sharesPeerUrl } from "../../sources/etcd/members/peer-urls.js";
import type { MemberStart } from "./environment-file.js";

interface JoiningMember {
  readonly name: string;
  readonly peerUrls: readonly string[];
  readonly dataDir: string;
}

/** Names that etcd's flags can hold. Those of other members are labels here: etcd finds members by their URLs. */
const PLAIN_NAME = /^[\w.-]+$/;

/** How a new member of a running cluster starts: it must name each member, itself included, by all of its peer URLs. */
export function joiningStart(
  { name, peerUrls, dataDir }: JoiningMember,
  members: readonly ClusterMember[],
): MemberStart {
  const initialCluster = new Map<string, readonly string[]>();
  for (const member of members) {
    for (const url of member.peerUrls) checkPeerUrl(url, "initial-cluster");
    if (sharesPeerUrl(member.peerUrls, peerUrls)) initialCluster.set(name, member.peerUrls);
    else {
      const isFree = member.name !== name && !initialCluster.has(member.name);
      const label = isFree && PLAIN_NAME.test(member.name) ? member.name : idText(member.id);
      initialCluster.set(label, member.peerUrls);
    }
  }
  return { name, dataDir, peerUrls, initialCluster };
}
