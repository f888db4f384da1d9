import { performance } from "node:perf_hooks";
import { BackupToolError, UsageError } from "../../errors.js";
import { sleep } from "../../flow/sleep.js";
import { quoted } from "../../quoted.js";
import { parseEndpoint } from "../../sources/etcd/endpoint.js";
import { EtcdError } from "../../sources/etcd/errors.js";
import {
  type DataDirIdentity,
  dataDirIdentity,
} from "../../sources/etcd/members/data-dir-identity.js";
import { LISTENS, signOfLife } from "../../sources/etcd/members/listener-probe.js";
import { idText } from "../../sources/etcd/members/member-list.js";
import { MemberProbes } from "../../sources/etcd/members/member-probes.js";
import { isPassing, Membership } from "../../sources/etcd/members/membership.js";
import type { EtcdOptions } from "../../sources/etcd/options.js";
import type { OperationContext } from "../context.js";
import {
  askEndpoints,
  memberText,
  seeMembers,
  type SeenCluster,
  type SeenMember,
} from "./cluster-view.js";
import { environmentText, startFlags, writeEnvironmentFile } from "./environment-file.js";
import { joiningStart } from "./first-start.js";
import { type JoinOptions, type JoinStage, type JoinStep, nextJoinStep } from "./join-step.js";

interface JoinClusterOptions extends JoinOptions {
  /** The endpoints are those of the cluster. */
  readonly etcd: EtcdOptions;
  /** File to write the settings of etcd's first start to, as variables. */
  readonly environmentFile?: string | undefined;
  /** End when the member is in the list and its settings are written: something else starts etcd. */
  readonly addOnly: boolean;
  /** Longest time in which nothing changes, ms. */
  readonly timeoutMs: number;
}

/** Between two looks at the cluster, ms. */
const LOOK_EVERY_MS = 500;

/**
 * Makes this machine a member of a cluster: as a learner first, with a vote once it has caught up. Each step is decided by the
 * state of the cluster and of the data dir, so a join that has been interrupted is run again.
 *
 * @throws BackupToolError of {@link nextJoinStep}, `ETCD_JOIN_TIMEOUT`; EtcdError; UsageError; InterruptedError
 */
export async function joinCluster(
  options: JoinClusterOptions,
  context: Pick<OperationContext, "signal" | "report">,
): Promise<void> {
  const join = new Join(options, context);
  try {
    await join.run();
  } finally {
    join.close();
  }
}

class Join {
  readonly #options: JoinClusterOptions;
  readonly #signal: AbortSignal;
  readonly #report: OperationContext["report"];
  readonly #probes: MemberProbes;
  #membership: Membership | undefined;
  #clusterId: bigint | undefined;
  /** When the member to replace was first found silent, since it was last heard of. */
  #silentSince: number | undefined;
  #written = "";
  #waiting: { readonly state: string; readonly since: number } | undefined;
  #reported = "";

  constructor(
    options: JoinClusterOptions,
    { signal, report }: Pick<OperationContext, "signal" | "report">,
  ) {
    this.#options = options;
    this.#signal = signal;
    this.#report = report;
    this.#probes = new MemberProbes(options.etcd);
  }

  close(): void {
    this.#membership?.close();
    this.#probes.close();
  }

  async run(): Promise<void> {
    for (;;) {
      const step = await this.#step();
      if (step === "done") return;
      if (step === "again") continue;
      this.#wait(step);
      await sleep(LOOK_EVERY_MS, this.#signal);
    }
  }

  /** Looks and acts once. Returns what to wait for, or whether to look again at once. */
  async #step(): Promise<"done" | "again" | Extract<JoinStep, { do: "wait" }>> {
    const cluster = await this.#look();
    if (typeof cluster === "string") {
      this.#silentSince = undefined;
      return { do: "wait", stage: "cluster", why: cluster };
    }
    // Last: a member that starts meanwhile makes its data before it is seen to be up.
    const ownData = await this.#ownData();
    if (ownData instanceof BackupToolError) {
      return { do: "wait", stage: "start", why: ownData.message };
    }
    const now = performance.now();
    const silentMs = now - (this.#silentSince ?? now);
    const step = nextJoinStep(this.#options, cluster, ownData, silentMs);
    const isSilent =
      step.do === "wait" && step.stage === "silence" && !(await this.#listens(step.member));
    this.#silentSince = isSilent ? (this.#silentSince ?? now) : undefined;
    // With data, the member is in the list: nextJoinStep has checked it.
    if (this.#options.addOnly && ownData !== undefined) return "done";
    if (step.do !== "wait") return (await this.#act(step, cluster)) ?? "again";
    if (ownData === undefined && step.stage === "start") {
      await this.#writeSettings(cluster, step.member);
      if (this.#options.addOnly) return "done";
    }
    return step;
  }

  /** While its etcd is expected to start, data that cannot be read may be half made: the log comes last. */
  async #ownData(): Promise<DataDirIdentity | BackupToolError | undefined> {
    try {
      return await dataDirIdentity(this.#options.dataDir);
    } catch (error) {
      if (error instanceof BackupToolError && this.#waiting?.state === "start") return error;
      throw error;
    }
  }

  /** A member that starts listens at its peer URLs long before it answers: its log is read first. */
  async #listens(member: SeenMember | undefined): Promise<boolean> {
    const signs = (member?.peerUrls ?? []).map((url) => {
      return signOfLife(parseEndpoint(url).address, this.#signal);
    });
    return (await Promise.all(signs)).includes(LISTENS);
  }

  /** The cluster as its majority lists it, or why there is none to see. */
  async #look(): Promise<SeenCluster | string> {
    const { etcd } = this.#options;
    const { clusters, silent } = await askEndpoints(this.#probes, etcd.endpoints, this.#signal);
    const [cluster, other] = clusters.filter(({ leader }) => leader !== undefined);
    if (cluster === undefined) {
      const problems = silent.map(({ problem }) => problem);
      const headless = clusters.map(({ clusterId, endpoints }) => {
        return `cluster ${idText(clusterId)} (${endpoints.join(", ")}) has no leader`;
      });
      return [...headless, ...problems].join("; ");
    }
    if (other !== undefined) throw twoClusters(cluster.clusterId, other.clusterId);
    if (this.#clusterId !== undefined && this.#clusterId !== cluster.clusterId) {
      throw twoClusters(this.#clusterId, cluster.clusterId);
    }
    this.#clusterId = cluster.clusterId;
    try {
      const { endpoints } = cluster;
      this.#membership ??= await Membership.open({ ...etcd, endpoints }, this.#signal);
      const list = await this.#membership.list(this.#signal);
      if (list.clusterId !== cluster.clusterId)
        throw twoClusters(cluster.clusterId, list.clusterId);
      return await seeMembers(this.#probes, list, cluster.statuses, this.#signal);
    } catch (error) {
      if (error instanceof EtcdError && isPassing(error)) return error.message;
      throw error;
    }
  }

  /** Resolves with what to wait for, where the step did not succeed yet. */
  async #act(
    step: Exclude<JoinStep, { do: "wait" }>,
    { clusterId, members }: SeenCluster,
  ): Promise<"done" | Extract<JoinStep, { do: "wait" }> | undefined> {
    const membership = this.#membership;
    if (membership === undefined) return undefined;
    const report = (type: "member-removed" | "member-added" | "member-promoted", member: string) =>
      this.#report({ type, member, clusterId: idText(clusterId) });
    switch (step.do) {
      case "add": {
        const refused = await membership.addLearner([...this.#options.peerUrls], this.#signal);
        if (refused !== undefined) return { do: "wait", stage: "health", why: refused.message };
        report("member-added", this.#options.name);
        return undefined;
      }
      case "remove": {
        const refused = await membership.remove(step.member.id, this.#signal);
        if (refused !== undefined) return { do: "wait", stage: "health", why: refused.message };
        report("member-removed", memberText(step.member));
        return undefined;
      }
      case "promote": {
        const refused = await membership.promote(step.member.id, this.#signal);
        if (refused === undefined) {
          report("member-promoted", memberText(step.member));
          return undefined;
        }
        return this.#waitForLearner(step.member, members);
      }
      case "done":
        this.#report({
          type: "member-joined",
          member: memberText(step.member),
          clusterId: idText(clusterId),
          members: members.length,
        });
        return "done";
    }
  }

  #waitForLearner(
    learner: SeenMember,
    members: readonly SeenMember[],
  ): Extract<JoinStep, { do: "wait" }> {
    const total = Math.max(...members.map(({ status }) => status?.committedIndex ?? 0));
    const done = learner.status?.raftIndex ?? 0;
    this.#report({ type: "progress", phase: "catch-up", done, total, unit: "items" });
    const why = `${memberText(learner)} has applied ${done} of ${total} entries of the log`;
    return { do: "wait", stage: "catch-up", why, member: learner };
  }

  /** Again whenever the list changes: etcd does not start where it names other members than the cluster has. */
  async #writeSettings({ members }: SeenCluster, member: SeenMember | undefined): Promise<void> {
    const start = joiningStart(this.#options, members);
    const { environmentFile } = this.#options;
    const flags = startFlags(start);
    const text = environmentFile === undefined ? JSON.stringify(flags) : environmentText(start);
    if (text === this.#written) return;
    if (environmentFile !== undefined) await writeEnvironmentFile(environmentFile, text);
    this.#written = text;
    this.#report({
      type: "member-settings",
      member: member === undefined ? this.#options.name : memberText(member),
      flags,
      ...(environmentFile === undefined ? {} : { environmentFile }),
    });
  }

  /** Reports what is waited for when it changes, and fails when nothing has changed for too long. */
  #wait({ stage, why, member }: Extract<JoinStep, { do: "wait" }>): void {
    // A learner that applies entries is slow, and not stuck.
    const state = stage === "catch-up" ? `${stage} ${member?.status?.raftIndex}` : stage;
    if (this.#waiting?.state !== state) this.#waiting = { state, since: performance.now() };
    // The progress shows the entries.
    const text = stage === "catch-up" ? stage : `${stage} ${why}`;
    if (text !== this.#reported) this.#report({ type: "member-waiting", stage, why });
    this.#reported = text;
    const { timeoutMs } = this.#options;
    if (performance.now() - this.#waiting.since < timeoutMs) return;
    throw new BackupToolError(
      "ETCD_JOIN_TIMEOUT",
      `${WAITED_FOR[stage]} within ${timeoutMs / 1000} s: ${why}`,
      { ...ADVICE[stage] },
    );
  }
}

const WAITED_FOR: Readonly<Record<JoinStage, string>> = {
  cluster: "no member of the cluster answered",
  health: "not all other members became healthy",
  learner: "another member did not finish joining",
  silence: "the member to replace did not go down",
  start: "etcd did not start on this machine",
  "catch-up": "the learner did not catch up",
};

const ADVICE: Readonly<Record<JoinStage, { hint: string; settings?: readonly string[] }>> = {
  cluster: { hint: "name the endpoints of members that are up", settings: ["etcd"] },
  health: {
    hint: "bring them back, or name those that may stay down meanwhile; then run this again",
    settings: ["allow-unhealthy"],
  },
  learner: {
    hint: "finish its join; or, if it never will, remove it with `etcdctl member remove`; then run this again",
  },
  silence: { hint: "stop its etcd; then run this again" },
  start: { hint: "start etcd with the settings above, see its log; then run this again" },
  "catch-up": { hint: "see the log of etcd on this machine; then run this again" },
};

function twoClusters(one: bigint, other: bigint): UsageError {
  return new UsageError(
    `the endpoints are of two clusters, ${quoted(idText(one))} and ${quoted(idText(other))}`,
    {
      hint: "name members of one cluster only, and stop etcd where it is of a former one",
      settings: ["etcd"],
    },
  );
}
