import test from "ava";
import type { SeenMember } from "../../../src/operations/members/cluster-view.js";
import { clusterReport } from "../../../src/operations/members/status.js";

function member(id: bigint, raftIndex: number, more: Partial<SeenMember> = {}): SeenMember {
  return {
    id,
    name: `m${id}`,
    peerUrls: [`http://10.0.0.${id}:2380`],
    clientUrls: [],
    isLearner: false,
    status: {
      clusterId: 7n,
      id,
      isLearner: false,
      version: "3.4.23",
      databaseBytes: 4096,
      quotaBytes: 0,
      leader: 1n,
      revision: 10,
      committedIndex: raftIndex,
      raftIndex,
      errors: [],
    },
    ...more,
  };
}

test("a healthy cluster has no problems", (t) => {
  const seen = { clusterId: 7n, members: [member(1n, 5000), member(2n, 4990)] };
  const expected = new Map([
    ["m1", ["http://10.0.0.1:2380"]],
    ["m2", ["http://10.0.0.2:2380"]],
  ]);
  const report = clusterReport({ leader: 1n }, seen, expected);
  t.like(report, { clusterId: "7", leader: "m1", revision: 10, problems: [] });
  t.deepEqual(
    report.members.map(({ name, role, healthy, behind }) => [name, role, healthy, behind]),
    [
      ["m1", "leader", true, 0],
      ["m2", "follower", true, 10],
    ],
  );
});

test("what is wrong is said of each member, and of those that are missing or not expected", (t) => {
  const down = { status: undefined, problem: "no answer in time" };
  const seen = {
    clusterId: 7n,
    members: [member(1n, 9000), member(2n, 1000), member(3n, 0, down)],
  };
  const expected = new Map([
    ["m1", ["http://10.0.0.1:2380"]],
    ["m2", ["http://10.0.0.2:2380"]],
    ["m4", ["http://10.0.0.4:2380"]],
  ]);
  const { problems, members } = clusterReport({ leader: undefined }, seen, expected);
  t.deepEqual(problems, [
    "the cluster has no leader: nothing can be written",
    "m2 (2): lags 8000 entries of the log behind",
    "m3 (3): no answer in time",
    '"m4" at http://10.0.0.4:2380 is not a member',
    "m3 (3) at http://10.0.0.3:2380 is not expected",
  ]);
  t.is(members[2]?.role, "unknown");
});

test("alarms are problems of the cluster, each once", (t) => {
  const errors = ["memberID:1 alarm:NOSPACE ", "etcdserver: no leader"];
  const ill = [member(1n, 1), member(2n, 1)].map(
    (one): SeenMember => (one.status ? { ...one, status: { ...one.status, errors } } : one),
  );
  const { problems } = clusterReport({ leader: 1n }, { clusterId: 7n, members: ill }, undefined);
  t.deepEqual(problems, ["etcd reports memberID:1 alarm:NOSPACE"]);
});
