import test from "ava";
import fc from "fast-check";
import { BackupToolError } from "../../../src/errors.js";
import type { SeenCluster, SeenMember } from "../../../src/operations/members/cluster-view.js";
import { type JoinOptions, nextJoinStep } from "../../../src/operations/members/join-step.js";
import type { MemberStatus } from "../../../src/sources/etcd/member.js";

const OPTIONS: JoinOptions = {
  name: "m2",
  peerUrls: ["http://b:2380"],
  dataDir: "/data",
  replace: false,
  replaceAfterMs: 60_000,
  allowUnhealthy: [],
};
const CLUSTER = 7n;

function status(id: bigint, isLearner = false): MemberStatus {
  return {
    clusterId: CLUSTER,
    id,
    isLearner,
    version: "3.4.23",
    databaseBytes: 1,
    quotaBytes: 0,
    leader: 1n,
    revision: 1,
    committedIndex: 1,
    raftIndex: 1,
    errors: [],
  };
}

function member(id: bigint, more: Partial<SeenMember> = {}): SeenMember {
  const name = `m${id}`;
  const host = String.fromCharCode(96 + Number(id));
  const isLearner = more.isLearner ?? false;
  return {
    id,
    name,
    peerUrls: [`http://${host}:2380`],
    clientUrls: [`http://${host}:2379`],
    isLearner,
    status: status(id, isLearner),
    ...more,
  };
}

const DOWN = { status: undefined, problem: "no answer in time" };
const UNSTARTED = { name: "", clientUrls: [], status: undefined, problem: "has not started yet" };
const cluster = (...members: SeenMember[]): SeenCluster => ({ clusterId: CLUSTER, members });
const ownData = (id: bigint) => ({ memberId: id, clusterId: CLUSTER });

test("a member that is not listed is added, once the others are healthy and none joins", (t) => {
  t.deepEqual(nextJoinStep(OPTIONS, cluster(member(1n)), undefined, 0), { do: "add" });
  const ill = nextJoinStep(OPTIONS, cluster(member(1n), member(3n, DOWN)), undefined, 0);
  t.like(ill, { do: "wait", stage: "health", why: "m3 (3): no answer in time" });
  const learner = cluster(member(1n), member(3n, { isLearner: true }));
  t.like(nextJoinStep(OPTIONS, learner, undefined, 0), { do: "wait", stage: "learner" });
});

test("a member that is down blocks nothing where the operator names it, by name or id", (t) => {
  const seen = cluster(member(1n), member(10n, DOWN));
  for (const allowed of ["m10", "a"]) {
    const options = { ...OPTIONS, allowUnhealthy: [allowed] };
    t.deepEqual(nextJoinStep(options, seen, undefined, 0), { do: "add" });
  }
  t.is(nextJoinStep({ ...OPTIONS, allowUnhealthy: ["m1"] }, seen, undefined, 0).do, "wait");
});

test("a member that was added goes on: start, catch-up, vote, done", (t) => {
  const added = cluster(member(1n), member(2n, { ...UNSTARTED, isLearner: true }));
  t.like(nextJoinStep(OPTIONS, added, undefined, 0), { do: "wait", stage: "start" });
  t.like(nextJoinStep(OPTIONS, added, ownData(2n), 0), { do: "wait", stage: "start" });
  const learning = cluster(member(1n), member(2n, { isLearner: true }));
  t.like(nextJoinStep(OPTIONS, learning, ownData(2n), 0), { do: "promote" });
  t.like(nextJoinStep(OPTIONS, cluster(member(1n), member(2n)), ownData(2n), 0), { do: "done" });
  const stopped = cluster(member(1n), member(2n, DOWN));
  t.like(nextJoinStep(OPTIONS, stopped, ownData(2n), 0), { do: "wait", stage: "start" });
});

test("no vote is given while another member is down", (t) => {
  const seen = cluster(member(1n), member(2n, { isLearner: true }), member(3n, DOWN));
  t.like(nextJoinStep(OPTIONS, seen, ownData(2n), 0), { do: "wait", stage: "health" });
});

test("a former self is removed only when asked for, silent for long enough, and the others are healthy", (t) => {
  const seen = cluster(member(1n), member(2n, DOWN), member(3n));
  t.throws(() => nextJoinStep(OPTIONS, seen, undefined, 0), { code: "ETCD_MEMBER_LISTED" });
  const replacing = { ...OPTIONS, replace: true };
  for (const silentMs of [0, 2000, 59_999]) {
    t.like(nextJoinStep(replacing, seen, undefined, silentMs), { do: "wait", stage: "silence" });
  }
  const step = nextJoinStep(replacing, seen, undefined, 60_000);
  t.like(step, { do: "remove", member: { id: 2n } });
  const two = cluster(member(1n), member(2n, DOWN), member(3n, DOWN));
  t.like(nextJoinStep(replacing, two, undefined, 60_000), {
    do: "wait",
    stage: "health",
  });
});

test("a member with the same name at another address is replaced by its id alone", (t) => {
  const moved = { ...OPTIONS, peerUrls: ["http://new:2380"] };
  const seen = cluster(member(1n), member(2n, DOWN));
  for (const options of [moved, { ...moved, replace: true }, { ...moved, replaceId: "1f" }]) {
    t.throws(() => nextJoinStep(options, seen, undefined, 60_000), { code: "ETCD_MEMBER_LISTED" });
  }
  const replacing = { ...moved, replaceId: "2" };
  t.like(nextJoinStep(replacing, seen, undefined, 0), { do: "wait", stage: "silence" });
  const step = nextJoinStep(replacing, seen, undefined, 60_000);
  t.like(step, { do: "remove", member: { id: 2n } });
  t.throws(() => nextJoinStep(replacing, cluster(member(1n), member(2n)), undefined, 60_000), {
    code: "ETCD_MEMBER_ALIVE",
  });
});

test("a member that is up without its data here is left alone, also when it is to be replaced", (t) => {
  for (const replace of [false, true]) {
    const seen = cluster(member(1n), member(2n));
    t.throws(() => nextJoinStep({ ...OPTIONS, replace }, seen, undefined, 60_000), {
      code: "ETCD_MEMBER_ALIVE",
    });
  }
});

test("data of another cluster, or of a member that was removed, does not come back", (t) => {
  const seen = cluster(member(1n), member(2n));
  t.throws(() => nextJoinStep(OPTIONS, seen, { memberId: 2n, clusterId: 8n }, 0), {
    code: "ETCD_WRONG_CLUSTER",
    message: /of cluster 8, and the endpoints are of cluster 7/,
  });
  t.throws(() => nextJoinStep(OPTIONS, seen, ownData(9n), 0), { code: "ETCD_MEMBER_REMOVED" });
});

test("nothing is added to a cluster that has no learners yet", (t) => {
  for (const version of ["3.3.27", "2.3.8", "x"]) {
    const old = member(1n, { status: { ...status(1n), version } });
    t.throws(() => nextJoinStep(OPTIONS, cluster(old), undefined, 0), { code: "ETCD_TOO_OLD" });
  }
  for (const version of ["3.4.0", "3.6.1", "4.0.0"]) {
    const able = member(1n, { status: { ...status(1n), version } });
    t.deepEqual(nextJoinStep(OPTIONS, cluster(able), undefined, 0), { do: "add" });
  }
});

/** Any state of a cluster of up to five members, and of this machine. */
const states = fc.record({
  others: fc.array(fc.constantFrom("well", "down", "learner", "unstarted"), { maxLength: 4 }),
  own: fc.constantFrom("absent", "well", "down", "learner", "unstarted"),
  data: fc.constantFrom("none", "own", "foreign", "removed"),
  replace: fc.boolean(),
  silentMs: fc.nat(120_000),
});

function seenAs(id: bigint, state: string): SeenMember[] {
  if (state === "absent") return [];
  if (state === "down") return [member(id, DOWN)];
  if (state === "learner") return [member(id, { isLearner: true })];
  return [member(id, state === "unstarted" ? { ...UNSTARTED, isLearner: true } : {})];
}

test("in every state, no step can cost the cluster a majority or a member that is up", (t) => {
  fc.assert(
    fc.property(states, ({ others, own, data, replace, silentMs }) => {
      const seen = cluster(
        ...others.flatMap((state, i) => seenAs(BigInt(i < 1 ? 1 : i + 2), state)),
        ...seenAs(2n, own),
      );
      const datas = {
        none: undefined,
        own: ownData(2n),
        removed: ownData(99n),
        foreign: { memberId: 2n, clusterId: 8n },
      };
      let step: ReturnType<typeof nextJoinStep>;
      try {
        step = nextJoinStep({ ...OPTIONS, replace }, seen, datas[data], silentMs);
      } catch (error) {
        t.true(error instanceof BackupToolError);
        return;
      }
      const allWell = others.every((state) => state === "well");
      if (step.do === "remove") {
        t.true(replace && own === "down" && data === "none" && allWell && silentMs >= 60_000);
      }
      if (step.do === "add") t.true(own === "absent" && data === "none" && allWell);
      if (step.do === "promote") t.true(own === "learner" && data === "own" && allWell);
      if (step.do === "done") t.true(own === "well" && data === "own");
    }),
  );
  t.pass();
});
