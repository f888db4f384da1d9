import { randomBytes } from "node:crypto";
import { UsageError } from "../../errors.js";
import { quoted } from "../../quoted.js";
import type { EtcdDatabase } from "../../sources/etcd/file/database.js";
import { foundedIds } from "../../sources/etcd/members/member-id.js";
import { idText } from "../../sources/etcd/members/member-list.js";

/** A token of a new cluster that no cluster was founded with. */
export function newToken(): string {
  return `backuptool-${randomBytes(8).toString("hex")}`;
}

/** Where etcd keeps the members that it has, and those that it had. */
const MEMBER_BUCKETS = ["members", "members_removed"];

/**
 * A check of the database that a new cluster is made of: a token that founded the former cluster, at the same peer URLs,
 * would make its ids again, and its members would join when they wake up, with another log. A database has no id of its
 * cluster. What is returned throws UsageError.
 */
export function unusedToken(
  peerUrlsOfMembers: Iterable<readonly string[]>,
  token: string,
): (base: EtcdDatabase) => Promise<void> {
  const { memberIds } = foundedIds(peerUrlsOfMembers, token);
  return async (base) => {
    for (const id of memberIds) {
      for (const bucket of MEMBER_BUCKETS) {
        if ((await base.lookUp(bucket, idText(id))) === undefined) continue;
        throw new UsageError(
          `the cluster from which the data comes was founded with the token ${quoted(token)}`,
          {
            hint: "give a token that was never used: members of the former cluster that wake up would disturb the new one",
            settings: ["initial-cluster-token"],
          },
        );
      }
    }
  };
}
