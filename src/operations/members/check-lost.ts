import { BackupToolError, throwIfAborted } from "../../errors.js";
import { parseEndpoint } from "../../sources/etcd/endpoint.js";
import { signOfLife } from "../../sources/etcd/members/listener-probe.js";
import { idText } from "../../sources/etcd/members/member-list.js";
import { MemberProbes } from "../../sources/etcd/members/member-probes.js";
import { clusterAtPeerUrl } from "../../sources/etcd/members/peer-probe.js";
import type { EtcdOptions } from "../../sources/etcd/options.js";
import { type AnsweringCluster, askEndpoints } from "./cluster-view.js";

/** Where members of the former cluster may be alive. */
export interface FormerMembers {
  /** The endpoints are those of all members of the former cluster: none of them may be alive. */
  readonly etcd: EtcdOptions;
  /** Of the new member, whose etcd must not run yet. */
  readonly peerUrls: readonly string[];
  /** Peer URLs of members of the former cluster, none of which may be alive either. */
  readonly former: readonly string[];
  /** Endpoints and peer URLs where something listens that is no member, as the operator says. */
  readonly presumedLost: readonly string[];
}

/**
 * A member that is up may have newer data than any backup, and its clients would go on writing to it. Whatever listens where
 * a member was counts as one, unless the operator says otherwise: etcd may demand a certificate, or not be able to answer.
 *
 * @throws BackupToolError `ETCD_MEMBER_ALIVE`; UsageError, InterruptedError
 */
export async function checkLost(
  { etcd, peerUrls, former, presumedLost }: FormerMembers,
  signal: AbortSignal,
): Promise<void> {
  const presumed = new Set(presumedLost.map((text) => parseEndpoint(text).address));
  const probes = new MemberProbes(etcd);
  try {
    const { clusters, silent } = await askEndpoints(probes, etcd.endpoints, signal);
    const [cluster] = clusters;
    if (cluster !== undefined) throw isAlive(cluster);
    await checkPeers([...new Set([...peerUrls, ...former])], signal);
    const places = [
      ...silent,
      ...[...peerUrls, ...former].map((endpoint) => ({ endpoint, problem: undefined })),
    ];
    const asked = places.map(async ({ endpoint, problem }) => {
      const { address } = parseEndpoint(endpoint);
      const sign = presumed.has(address) ? undefined : await signOfLife(address, signal);
      throwIfAborted(signal);
      if (sign !== undefined) throw mayBeAlive(endpoint, sign, problem);
    });
    await Promise.all(asked);
  } finally {
    probes.close();
  }
}

function isAlive({ clusterId, endpoints, leader }: AnsweringCluster): BackupToolError {
  const where = endpoints.join(", ");
  if (leader === undefined) {
    return new BackupToolError(
      "ETCD_MEMBER_ALIVE",
      `etcd at ${where} is up, of cluster ${idText(clusterId)}, which has no leader`,
      {
        hint: "bring most of its members back; or, if they are lost, stop it first (its data may be newer than a backup: keep its member/snap/db, which restore-founder takes as the snapshot file)",
        settings: ["etcd", "snapshot-file"],
      },
    );
  }
  return new BackupToolError(
    "ETCD_MEMBER_ALIVE",
    `cluster ${idText(clusterId)} is alive at ${where}, and has a leader`,
    {
      hint: "a second cluster would split its clients: join this one with `backuptool etcd join`, or stop it first",
      settings: ["etcd"],
    },
  );
}

/** Members that start without a leader, which answer each other alone. */
async function checkPeers(peerUrls: readonly string[], signal: AbortSignal): Promise<void> {
  const asked = peerUrls.map(async (url) => [url, await clusterAtPeerUrl(url, signal)] as const);
  for (const [url, clusterId] of await Promise.all(asked)) {
    throwIfAborted(signal);
    if (clusterId === undefined) continue;
    throw new BackupToolError(
      "ETCD_MEMBER_ALIVE",
      `etcd at ${url} is up, of cluster ${clusterId}`,
      {
        hint: "stop it first: a founder has no members beside it, and takes the URLs of this machine",
      },
    );
  }
}

function mayBeAlive(where: string, sign: string, problem: string | undefined): BackupToolError {
  return new BackupToolError(
    "ETCD_MEMBER_ALIVE",
    `a member of etcd may be alive at ${where}: ${sign}${problem === undefined ? "" : ` (${problem})`}`,
    {
      hint: "check scheme, TLS files and login, and stop the member; or, if it is lost and something else listens there, presume so",
      settings: ["etcd", "cacert", "cert", "key", "user", "presume-lost"],
    },
  );
}
