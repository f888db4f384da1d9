import { EtcdError } from "../errors.js";
import { MEMBER_LIST } from "../member-rpc.js";

/** A member as its cluster lists it. */
export interface ClusterMember {
  readonly id: bigint;
  /** Empty until the member has started for the first time. */
  readonly name: string;
  readonly peerUrls: readonly string[];
  /** What the member advertises to clients; none until it has started for the first time. */
  readonly clientUrls: readonly string[];
  /** It has no vote yet. */
  readonly isLearner: boolean;
}

export interface MemberList {
  readonly clusterId: bigint;
  /** In the order of their ids, without duplicates. */
  readonly members: readonly ClusterMember[];
}

/** Far more than etcd can work with. */
const MAX_MEMBERS = 100;

/** Decodes the answer to {@link MEMBER_LIST}. @throws EtcdError `ETCD_PROTOCOL` */
export function decodeMemberList(response: Buffer): MemberList {
  const { header, members = [] } = MEMBER_LIST.decode(response);
  if (members.length > MAX_MEMBERS) {
    throw new EtcdError("ETCD_PROTOCOL", `etcd lists ${members.length} members`);
  }
  const byId = new Map<bigint, ClusterMember>();
  for (const { ID = 0, name = "", peerURLs = [], clientURLs = [], isLearner = false } of members) {
    const id = BigInt(ID);
    byId.set(id, { id, name, peerUrls: peerURLs, clientUrls: clientURLs, isLearner });
  }
  return {
    clusterId: BigInt(header?.cluster_id ?? 0),
    members: [...byId.values()].sort((a, b) => (a.id < b.id ? -1 : 1)),
  };
}

/** An id as etcd prints it. */
export function idText(id: bigint): string {
  return id.toString(16);
}
