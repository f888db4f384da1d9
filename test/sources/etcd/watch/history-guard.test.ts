import test from "ava";
import { HistoryGuard } from "../../../../src/sources/etcd/watch/history-guard.js";

test("what reads have reached does not go back", (t) => {
  const state = { clusterId: 3n, revision: 20, raftTerm: 4 };
  const guard = new HistoryGuard(10, undefined);
  t.throws(() => guard.check({ ...state, revision: 9 }, guard.reached), {
    message: /revision is 9/,
  });
  const early = guard.reached;
  guard.check(state, early, 100);
  // A read that began earlier may have seen less.
  guard.check({ ...state, revision: 15 }, early);
  for (const [later, index, why] of [
    [{ revision: 19 }, 100, /revision is 19, after 20/],
    [{ raftTerm: 3 }, 100, /raft term is 3, after 4/],
    [{ revision: 21 }, 99, /raft index is 99, after 100/],
    [{ clusterId: 4n }, 100, /cluster 4 now, not 3/],
  ] as const) {
    t.throws(() => guard.check({ ...state, ...later }, guard.reached, index), {
      code: "WATCH_ENDED",
      message: why,
    });
  }
  guard.sawRevision(25);
  t.throws(() => guard.check({ ...state, revision: 24 }, guard.reached), { code: "WATCH_ENDED" });
});
