import { BackupToolError } from "../../errors.js";
import { quoted } from "../../quoted.js";
import type { DataDirIdentity } from "../../sources/etcd/members/data-dir-identity.js";
import { idText } from "../../sources/etcd/members/member-list.js";
import { sharesPeerUrl } from "../../sources/etcd/members/peer-urls.js";
import { memberText, type SeenCluster, type SeenMember } from "./cluster-view.js";

/** The member that joins, and what the operator allows. */
export interface JoinOptions {
  readonly name: string;
  readonly peerUrls: readonly string[];
  readonly dataDir: string;
  /** Removes what this member was before from the cluster, where its data is lost. */
  readonly replace: boolean;
  /** Id of what this member was before, where that had other peer URLs: another machine may have its name. */
  readonly replaceId?: string | undefined;
  /** How long that must not have answered, ms: etcd may only be restarting, with a data dir that is not the one given here. */
  readonly replaceAfterMs: number;
  /** Names or ids of members that may be down meanwhile. */
  readonly allowUnhealthy: readonly string[];
}

/** What is waited for. */
export type JoinStage = "cluster" | "health" | "learner" | "silence" | "start" | "catch-up";

/** What to do next. */
export type JoinStep =
  | { readonly do: "add" }
  | { readonly do: "remove"; readonly member: SeenMember }
  | { readonly do: "promote"; readonly member: SeenMember }
  | { readonly do: "done"; readonly member: SeenMember }
  | {
      readonly do: "wait";
      readonly stage: JoinStage;
      /** A sentence without its subject's verb of waiting: what does not hold yet. */
      readonly why: string;
      /** This member in the list, once it is there. */
      readonly member?: SeenMember | undefined;
    };

/**
 * Decides from the state of the cluster and of this machine alone, so that a join that was killed goes on where it was.
 *
 * @param silentMs how long nothing has been heard of this member
 * @throws BackupToolError `ETCD_WRONG_CLUSTER`, `ETCD_MEMBER_REMOVED`, `ETCD_MEMBER_ALIVE`, `ETCD_MEMBER_LISTED`,
 * `ETCD_TOO_OLD`
 */
export function nextJoinStep(
  options: JoinOptions,
  cluster: SeenCluster,
  ownData: DataDirIdentity | undefined,
  silentMs: number,
): JoinStep {
  const own = ownMember(options, cluster, ownData);
  if (own === undefined) {
    checkKnowsLearners(cluster);
    return waitForOthers(cluster, undefined, options) ?? { do: "add" };
  }
  if (ownData === undefined) {
    if (own.status !== undefined) throw isAlive(own, options);
    // A member without a name has never started: it was added for this machine, by this command or by hand.
    if (own.name === "") return waitForStart(own, options);
    if (!options.replace && !isNamed(own, options)) throw isListed(own, options, cluster);
    const waiting = waitForOthers(cluster, own, options);
    if (waiting !== undefined || silentMs >= options.replaceAfterMs) {
      return waiting ?? { do: "remove", member: own };
    }
    const why = `${memberText(own)} is to be replaced, and must be silent for ${options.replaceAfterMs / 1000} s`;
    return { do: "wait", stage: "silence", why, member: own };
  }
  if (own.status === undefined) return waitForStart(own, options);
  if (own.isLearner) {
    return waitForOthers(cluster, own, options) ?? { do: "promote", member: own };
  }
  if (own.problem !== undefined) {
    const why = `${memberText(own)} ${own.problem}`;
    return { do: "wait", stage: "health", why, member: own };
  }
  return { do: "done", member: own };
}

/** Before 3.4 etcd would add a member with a vote at once, which costs a small cluster its majority until it runs. */
function checkKnowsLearners({ members }: SeenCluster): void {
  for (const member of members) {
    const { version = "" } = member.status ?? {};
    const [major = 0, minor = 0] = version.split(".").map(Number);
    if (version === "" || major > 3 || (major === 3 && minor >= 4)) continue;
    throw new BackupToolError(
      "ETCD_TOO_OLD",
      `${memberText(member)} runs etcd ${version}, which has no learners`,
      { hint: "upgrade all members to etcd 3.4 or later first" },
    );
  }
}

/** This machine's entry in the list; undefined where there is none. Throws where data and list contradict each other. */
function ownMember(
  options: JoinOptions,
  { clusterId, members }: SeenCluster,
  ownData: DataDirIdentity | undefined,
): SeenMember | undefined {
  const { name, peerUrls, dataDir } = options;
  if (ownData === undefined) {
    const byUrl = members.find((member) => sharesPeerUrl(member.peerUrls, peerUrls));
    const former = byUrl ?? members.find((member) => isNamed(member, options));
    const other = members.find((member) => member.name === name);
    if (former !== undefined || other === undefined) return former;
    throw new BackupToolError(
      "ETCD_MEMBER_LISTED",
      `cluster ${idText(clusterId)} has a member ${memberText(other)} at ${other.peerUrls.join(", ")} already`,
      {
        hint: "give this member another name; or, if that one is lost for good, replace it by its id",
        settings: ["name", "replace-id"],
      },
    );
  }
  const data = `the data in ${quoted(dataDir)} is of member ${idText(ownData.memberId)} of cluster ${idText(ownData.clusterId)}`;
  const hint = "data of a former member must not come back: move it away, and run this again";
  const settings = ["etcd-data-dir"];
  if (ownData.clusterId !== clusterId) {
    const message = `${data}, and the endpoints are of cluster ${idText(clusterId)}`;
    throw new BackupToolError("ETCD_WRONG_CLUSTER", message, { hint, settings });
  }
  const byId = members.find(({ id }) => id === ownData.memberId);
  if (byId === undefined) {
    const message = `${data}, which has removed that member`;
    throw new BackupToolError("ETCD_MEMBER_REMOVED", message, { hint, settings });
  }
  return byId;
}

function isNamed({ id }: SeenMember, { replaceId }: JoinOptions): boolean {
  return idText(id) === replaceId;
}

/**
 * What keeps a member from being added, removed or given a vote: each of these can cost the cluster its majority while
 * another member is down, and etcd takes one learner at a time.
 */
function waitForOthers(
  { members }: SeenCluster,
  own: SeenMember | undefined,
  { allowUnhealthy }: JoinOptions,
): JoinStep | undefined {
  const others = members.filter(({ id }) => id !== own?.id);
  const learner = others.find(({ isLearner }) => isLearner);
  if (learner !== undefined) {
    const why = `${memberText(learner)} joins at the moment, and etcd takes one at a time`;
    return { do: "wait", stage: "learner", why, member: own };
  }
  const ill = others.filter(
    ({ problem, name, id }) =>
      problem !== undefined &&
      !allowUnhealthy.includes(name) &&
      !allowUnhealthy.includes(idText(id)),
  );
  if (ill.length === 0) return undefined;
  const why = ill.map((member) => `${memberText(member)}: ${member.problem}`).join("; ");
  return { do: "wait", stage: "health", why, member: own };
}

function waitForStart(own: SeenMember, { name }: JoinOptions): JoinStep {
  const why = `etcd of ${memberText({ ...own, name })} does not run yet: ${own.problem ?? "no answer"}`;
  return { do: "wait", stage: "start", why, member: own };
}

function isAlive(own: SeenMember, { dataDir }: JoinOptions): BackupToolError {
  return new BackupToolError(
    "ETCD_MEMBER_ALIVE",
    `member ${memberText(own)} is up, but its data is not in ${quoted(dataDir)}`,
    {
      hint: "name the data directory that its etcd uses, or the URLs of another machine",
      settings: ["etcd-data-dir", "initial-advertise-peer-urls"],
    },
  );
}

function isListed(
  own: SeenMember,
  { dataDir }: JoinOptions,
  { clusterId }: SeenCluster,
): BackupToolError {
  return new BackupToolError(
    "ETCD_MEMBER_LISTED",
    `cluster ${idText(clusterId)} still lists this member as ${memberText(own)}, and ${quoted(dataDir)} has no data of it`,
    {
      hint: "if its data is lost, replace it: it is removed and added again; if the data is elsewhere, name its directory",
      settings: ["replace", "etcd-data-dir"],
    },
  );
}
