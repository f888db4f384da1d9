import { BackupToolError, errorMessage, InterruptedError, UsageError } from "../../errors.js";
import { EtcdError } from "../../sources/etcd/errors.js";
import type { MemberStatus } from "../../sources/etcd/member.js";
import {
  type ClusterMember,
  idText,
  type MemberList,
} from "../../sources/etcd/members/member-list.js";
import type { MemberProbes } from "../../sources/etcd/members/member-probes.js";

/** A member as its cluster lists it, and what it says of itself. */
export interface SeenMember extends ClusterMember {
  /** Undefined where it does not answer. */
  readonly status?: MemberStatus | undefined;
  /** Why it is not healthy; undefined where it is. */
  readonly problem?: string | undefined;
}

export interface SeenCluster {
  readonly clusterId: bigint;
  readonly members: readonly SeenMember[];
}

/** The endpoints that are members of one cluster. */
export interface AnsweringCluster {
  readonly clusterId: bigint;
  readonly endpoints: readonly string[];
  /** Undefined while none of them knows of a leader. */
  readonly leader: bigint | undefined;
  /** What the endpoints answered, by the ids of their members. */
  readonly statuses: ReadonlyMap<bigint, MemberStatus>;
  /** As the member lists them that has applied the most of those that give a list; else why none does. */
  readonly members: readonly ClusterMember[] | BackupToolError;
}

/** An endpoint that did not answer, and why. */
export interface SilentEndpoint {
  readonly endpoint: string;
  readonly problem: string;
}

export interface Answers {
  /** Those with a leader first. More than one: members of a former cluster are up. */
  readonly clusters: readonly AnsweringCluster[];
  readonly silent: readonly SilentEndpoint[];
}

interface EndpointAnswer {
  readonly endpoint: string;
  readonly status: MemberStatus;
  readonly members: AnsweringCluster["members"];
}

/** Asks each endpoint which cluster it belongs to: one that says so is alive, also where it gives no list. @throws UsageError, EtcdError `ETCD_TLS`, InterruptedError */
export async function askEndpoints(
  probes: MemberProbes,
  endpoints: readonly string[],
  signal: AbortSignal,
): Promise<Answers> {
  const byCluster = new Map<bigint, EndpointAnswer[]>();
  const asked = [...new Set(endpoints)].map(async (endpoint): Promise<SilentEndpoint[]> => {
    try {
      const status = await probes.status(endpoint, signal);
      const members = await listOf(probes, endpoint, signal);
      const same = byCluster.get(status.clusterId) ?? [];
      byCluster.set(status.clusterId, [...same, { endpoint, status, members }]);
      return [];
    } catch (error) {
      return [{ endpoint, problem: problemOf(error) }];
    }
  });
  const silent = (await Promise.all(asked)).flat();
  const clusters = [...byCluster].map(([clusterId, answers]) => answering(clusterId, answers));
  const order = ({ leader }: AnsweringCluster): number => (leader === undefined ? 1 : 0);
  return { clusters: clusters.sort((a, b) => order(a) - order(b)), silent };
}

/** Etcd with users can keep its list from those without a login. */
async function listOf(
  probes: MemberProbes,
  endpoint: string,
  signal: AbortSignal,
): Promise<AnsweringCluster["members"]> {
  try {
    return (await probes.members(endpoint, signal)).members;
  } catch (error) {
    problemOf(error);
    if (error instanceof BackupToolError) return error;
    throw error;
  }
}

function answering(clusterId: bigint, answers: readonly EndpointAnswer[]): AnsweringCluster {
  const rank = ({ status: { leader, raftIndex } }: EndpointAnswer): number =>
    (leader === 0n ? 0 : 2 ** 52) + raftIndex;
  const newer = (a: EndpointAnswer, b: EndpointAnswer) => (rank(b) > rank(a) ? b : a);
  const newest = answers.reduce(newer);
  const lists = answers.filter(({ members }) => !(members instanceof BackupToolError));
  return {
    clusterId,
    endpoints: answers.map(({ endpoint }) => endpoint),
    leader: newest.status.leader === 0n ? undefined : newest.status.leader,
    statuses: new Map(answers.map(({ status }) => [status.id, status])),
    members: (lists.length === 0 ? newest : lists.reduce(newer)).members,
  };
}

/** Asks those of the listed members that have not answered yet. @throws InterruptedError */
export async function seeMembers(
  probes: MemberProbes,
  { clusterId, members }: MemberList,
  answered: AnsweringCluster["statuses"],
  signal: AbortSignal,
): Promise<SeenCluster> {
  const seen = members.map(async (member): Promise<SeenMember> => {
    const status = answered.get(member.id);
    if (status !== undefined) return judged(member, status);
    return await askMember(probes, clusterId, member, signal);
  });
  return { clusterId, members: await Promise.all(seen) };
}

/** Asks a member at the URLs that it advertises. Another member may have them by now. */
async function askMember(
  probes: MemberProbes,
  clusterId: bigint,
  member: ClusterMember,
  signal: AbortSignal,
): Promise<SeenMember> {
  let problem = member.name === "" ? "has not started yet" : "advertises no client URL";
  for (const url of member.clientUrls) {
    try {
      const status = await probes.status(url, signal);
      if (status.clusterId === clusterId && status.id === member.id) {
        return judged(member, status);
      }
      problem = `${url} is member ${idText(status.id)} of cluster ${idText(status.clusterId)}`;
    } catch (error) {
      problem = problemOf(error);
    }
  }
  return { ...member, problem };
}

function judged(member: ClusterMember, status: MemberStatus): SeenMember {
  return { ...member, status, problem: status.leader === 0n ? "knows of no leader" : undefined };
}

/** Throws what is wrong with the settings and the files of the login, which is no endpoint's problem. */
function problemOf(error: unknown): string {
  const isFile =
    error instanceof EtcdError && error.code === "ETCD_TLS" && error.endpoint === undefined;
  const isSetting = error instanceof UsageError;
  if (error instanceof InterruptedError || isFile || isSetting) throw error;
  return errorMessage(error);
}

/** How a member is called in messages. */
export function memberText({ id, name, peerUrls }: ClusterMember): string {
  return name === "" ? `${idText(id)} (${peerUrls.join(", ")})` : `${name} (${idText(id)})`;
}
