import { BackupToolError } from "../../errors.js";
import { MemberProbes } from "../../sources/etcd/members/member-probes.js";
import { idText } from "../../sources/etcd/members/member-list.js";
import { sharesPeerUrl } from "../../sources/etcd/members/peer-urls.js";
import type { EtcdOptions } from "../../sources/etcd/options.js";
import type { OperationContext } from "../context.js";
import { EtcdError } from "../../sources/etcd/errors.js";
import { quoted } from "../../quoted.js";
import {
  askEndpoints,
  type AnsweringCluster,
  memberText,
  seeMembers,
  type SeenCluster,
  type SeenMember,
} from "./cluster-view.js";
import type { ClusterReport, MemberRow } from "./events.js";

interface StatusOptions {
  readonly etcd: EtcdOptions;
  /** Peer URLs of the members that there should be, by name. */
  readonly expected?: ReadonlyMap<string, readonly string[]> | undefined;
}

/** Entries of the log, of ten thousand a snapshot by default, from which on a member lags. */
const MAX_BEHIND = 1000;

/**
 * Reports the state of a cluster as its members tell it, with or without a leader. Resolves with it.
 *
 * @throws EtcdError `ETCD_UNAVAILABLE` when no endpoint answers, `ETCD_AUTH` when none lists the members without a login; UsageError, InterruptedError
 */
export async function clusterStatus(
  { etcd, expected }: StatusOptions,
  { signal, report }: Pick<OperationContext, "signal" | "report">,
): Promise<ClusterReport> {
  const probes = new MemberProbes(etcd);
  try {
    const { clusters, silent } = await askEndpoints(probes, etcd.endpoints, signal);
    const [cluster, ...others] = clusters;
    if (cluster === undefined) {
      throw new EtcdError("ETCD_UNAVAILABLE", silent.map(({ problem }) => problem).join("; "), {
        hint: "is etcd running there?",
        settings: ["etcd"],
      });
    }
    const { clusterId, members } = cluster;
    if (members instanceof BackupToolError) throw members;
    const seen = await seeMembers(probes, { clusterId, members }, cluster.statuses, signal);
    const result = clusterReport(cluster, seen, expected);
    const problems = [
      ...result.problems,
      ...others.map(
        ({ clusterId, endpoints }) =>
          `${endpoints.join(", ")} is of another cluster, ${idText(clusterId)}`,
      ),
    ];
    report({ type: "etcd-cluster", ...result, problems });
    return { ...result, problems };
  } finally {
    probes.close();
  }
}

/** What the answers say, and what is not as it should be. */
export function clusterReport(
  { leader }: Pick<AnsweringCluster, "leader">,
  { clusterId, members }: SeenCluster,
  expected: StatusOptions["expected"],
): ClusterReport {
  const statuses = members.flatMap(({ status }) => status ?? []);
  const newest = Math.max(0, ...statuses.map(({ committedIndex }) => committedIndex));
  const rows = members.map((member) => memberRow(member, leader, newest));
  const leading = members.find(({ id }) => id === leader);
  const alarms = new Set(statuses.flatMap(({ errors }) => errors.map((error) => error.trim())));
  const problems = [
    ...(leader === undefined ? ["the cluster has no leader: nothing can be written"] : []),
    ...rows.flatMap(({ problem }, i) => {
      const member = members[i];
      return problem === undefined || member === undefined
        ? []
        : [`${memberText(member)}: ${problem}`];
    }),
    ...[...alarms]
      .filter((error) => !/no leader/.test(error))
      .map((error) => `etcd reports ${error}`),
    ...unexpected(members, expected),
  ];
  return {
    clusterId: idText(clusterId),
    ...(leader === undefined ? {} : { leader: leading?.name || idText(leader) }),
    revision: Math.max(0, ...statuses.map(({ revision }) => revision)),
    members: rows,
    problems,
  };
}

function memberRow(member: SeenMember, leader: bigint | undefined, newest: number): MemberRow {
  const { id, name, status, peerUrls, clientUrls } = member;
  const behind = status === undefined ? undefined : Math.max(0, newest - status.raftIndex);
  const lags = behind !== undefined && behind > MAX_BEHIND;
  const problem = member.problem ?? (lags ? `lags ${behind} entries of the log behind` : undefined);
  return {
    id: idText(id),
    name,
    role: roleOf(member, status?.leader ?? leader),
    healthy: problem === undefined,
    ...(problem === undefined ? {} : { problem }),
    ...(status === undefined
      ? {}
      : {
          version: status.version,
          revision: status.revision,
          behind: behind ?? 0,
          databaseBytes: status.databaseBytes,
        }),
    peerUrls,
    clientUrls,
  };
}

function roleOf({ id, isLearner, status }: SeenMember, leader?: bigint): MemberRow["role"] {
  if (isLearner) return "learner";
  if (leader === undefined || leader === 0n || status === undefined) return "unknown";
  return id === leader ? "leader" : "follower";
}

/** Members that are missing, and those that nobody expects. */
function unexpected(members: readonly SeenMember[], expected: StatusOptions["expected"]): string[] {
  if (expected === undefined) return [];
  const missing = [...expected].filter(
    ([, urls]) => !members.some(({ peerUrls }) => sharesPeerUrl(peerUrls, urls)),
  );
  const extra = members.filter(
    ({ peerUrls }) => ![...expected.values()].some((urls) => sharesPeerUrl(peerUrls, urls)),
  );
  return [
    ...missing.map(([name, urls]) => `${quoted(name)} at ${urls.join(", ")} is not a member`),
    ...extra.map(
      (member) => `${memberText(member)} at ${member.peerUrls.join(", ")} is not expected`,
    ),
  ];
}
