import { createHash } from "node:crypto";

/**
 * The ids that etcd gives to the members and the cluster that `initial-cluster` founds. They depend on the peer URLs and
 * the token alone, so the same token makes the same cluster again (`newMember` of etcd's `membership/member.go`, `genID`
 * of its `membership/cluster.go`).
 */
export function foundedIds(
  peerUrlsOfMembers: Iterable<readonly string[]>,
  token: string,
): { clusterId: bigint; memberIds: bigint[] } {
  const memberIds = Array.from(peerUrlsOfMembers, (urls) => {
    return firstEightBytes(createHash("sha1").update([...urls].sort().join("") + token));
  });
  const hash = createHash("sha1");
  for (const id of [...memberIds].sort((a, b) => (a < b ? -1 : 1))) {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64BE(id);
    hash.update(bytes);
  }
  return { clusterId: firstEightBytes(hash), memberIds };
}

function firstEightBytes(hash: ReturnType<typeof createHash>): bigint {
  return hash.digest().readBigUInt64BE(0);
}
