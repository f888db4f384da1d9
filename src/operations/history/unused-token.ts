import { randomBytes } from "node:crypto";
import { UsageError } from "../../errors.js";
import { quoted } from "../../quoted.js";
import { foundedIds } from "../../sources/etcd/members/member-id.js";
import { idText } from "../../sources/etcd/members/member-list.js";
import type { BaseDatabase } from "./base-database.js";

/** A token of a new cluster that no cluster was founded with. */
export function newToken(): string {
  return `backuptool-${randomBytes(8).toString("hex")}`;
}

/** Where etcd keeps the members that it has, and those that it had. */
const MEMBER_BUCKETS = ["members", "members_removed"];

/** A database that a new cluster is made of, and the id of its former cluster where that is known. */
export type FormerData = Pick<BaseDatabase, "database" | "clusterId">;

/**
 * A check of the database that a new cluster is made of: a token that founded the former cluster, at the same peer URLs,
 * would make its ids again, and its members would join when they wake up, with another log. A database has no id of its
 * cluster, and one that was merged of deltas no members either: that of a file then cannot be told. What is returned throws
 * UsageError.
 */
export function unusedToken(
  peerUrlsOfMembers: Iterable<readonly string[]>,
  token: string,
): (base: FormerData) => Promise<void> {
  const { clusterId, memberIds } = foundedIds(peerUrlsOfMembers, token);
  const memberNames = memberIds.map(idText);
  return async (base) => {
    const isUsed = base.clusterId === idText(clusterId) || (await hasAny(base, memberNames));
    if (!isUsed) return;
    throw new UsageError(
      `the cluster from which the data comes was founded with the token ${quoted(token)}`,
      {
        hint: "give a token that was never used: members of the former cluster that wake up would disturb the new one",
        settings: ["initial-cluster-token"],
      },
    );
  };
}

/** Whether a database has one of these members, or had it. */
async function hasAny({ database }: FormerData, members: readonly string[]): Promise<boolean> {
  for (const id of members) {
    for (const bucket of MEMBER_BUCKETS) {
      if ((await database.lookUp(bucket, id)) !== undefined) return true;
    }
  }
  return false;
}
