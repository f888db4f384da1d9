import test from "ava";
import { EtcdError } from "../../../../src/sources/etcd/errors.js";
import { WatchEnded, type WatchEndReason } from "../../../../src/sources/etcd/watch/watch-ended.js";
import { WatchRetries } from "../../../../src/sources/etcd/watch/watch-retries.js";

const down = new EtcdError("ETCD_UNAVAILABLE", "down");
const behind = new WatchEnded("stuck", "behind");

function retries(endpoints: number, state: () => WatchEnded | undefined = () => undefined) {
  return new WatchRetries(endpoints, async () => state());
}

function ended(reason: WatchEndReason): WatchEnded {
  return new WatchEnded(reason, "for a test");
}

test("a hole counts when it is seen twice without progress in between", async (t) => {
  const all = retries(3);
  const hole = ended("hole");
  t.is(await all.judge(hole), hole);
  all.progressed();
  t.is(await all.judge(hole), hole);
  t.is(await all.judge(down), down);
  t.is(await t.throwsAsync(all.judge(hole)), hole);
});

test("a watch is stuck when each endpoint was, and twice with one endpoint", async (t) => {
  const stuck = ended("stuck");
  for (const [endpoints, tries] of [
    [1, 2],
    [3, 3],
  ] as const) {
    const all = retries(endpoints);
    for (let i = 1; i < tries; i++) t.is(await all.judge(stuck), stuck);
    t.is(await t.throwsAsync(all.judge(stuck)), stuck);
  }
});

test("other ends of a watch are final at once, and so are errors of the program", async (t) => {
  for (const reason of ["compacted", "restored", "far-behind", "too-large", "denied"] as const) {
    const error = ended(reason);
    t.is(await t.throwsAsync(retries(3).judge(error)), error);
  }
  const bug = new TypeError("a bug");
  t.is(await t.throwsAsync(retries(3).judge(bug)), bug);
});

test("a login is denied when two fresh ones are rejected", async (t) => {
  const all = retries(3);
  const rejected = new EtcdError("ETCD_AUTH", "permission denied");
  t.is(await all.judge(rejected), rejected);
  all.accepted();
  t.is(await all.judge(rejected), rejected);
  t.like(await t.throwsAsync(all.judge(rejected)), { reason: "denied", cause: rejected });
});

test("calls that fail are tried again for ever while nothing is missing, and with longer pauses", async (t) => {
  const all = retries(2);
  const pauses: number[] = [];
  for (let i = 0; i < 100; i++) {
    t.is(await all.judge(down), down);
    pauses.push(all.pauseMs);
  }
  t.deepEqual(pauses.slice(0, 4), [50, 50, 100, 100]);
  t.deepEqual(
    pauses,
    pauses.toSorted((a, b) => a - b),
  );
  t.is(pauses.at(-1), 2000);
});

test("a watch that fails again and again while etcd has more is stuck", async (t) => {
  const all = retries(3, () => behind);
  for (let i = 1; i < 20; i++) t.is(await all.judge(down), down);
  t.is(await t.throwsAsync(all.judge(down)), behind);
});

test("an endpoint of another cluster is tried again unless etcd is another cluster", async (t) => {
  const mixed = new EtcdError("ETCD_MIXED_CLUSTERS", "of cluster 5");
  t.is(await retries(3, () => behind).judge(mixed), mixed);
  const restored = ended("restored");
  const all = new WatchRetries(3, async () => {
    throw restored;
  });
  t.is(await t.throwsAsync(all.judge(mixed)), restored);
  const unknown = new WatchRetries(3, async () => {
    throw down;
  });
  t.is(await unknown.judge(mixed), mixed);
});
