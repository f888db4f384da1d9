import test from "ava";
import fc from "fast-check";
import { Durability } from "../../../src/server/deltas/durability.js";
import { SeenTimes } from "../../../src/server/deltas/seen-times.js";

const SITES = ["primary", "secondary"] as const;

test("the time of the oldest revision is exact to a tenth of a second, and never too late", (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 0, max: 400 })), {
        minLength: 1,
        maxLength: 60,
      }),
      (steps) => {
        const seen = new SeenTimes();
        const times: number[] = [];
        let [revision, now] = [0, 1000];
        for (const [more, ms] of steps) {
          now += ms;
          for (let i = 0; i < more; i++) times[++revision] = now;
          seen.known(revision, now);
        }
        for (let durable = 0; durable <= revision; durable++) {
          const since = seen.oldestAfter(durable);
          const exact = times[durable + 1];
          if (exact === undefined) t.is(since, undefined);
          else t.true(since !== undefined && since <= exact && exact - since < 100);
        }
      },
    ),
  );
});

test("marks of days cost little memory, and ages are never too low", (t) => {
  const seen = new SeenTimes();
  const count = 50_000;
  for (let i = 1; i <= count; i++) seen.known(i * 10, i * 10_000);
  t.is(seen.oldestAfter(0), 10_000);
  for (const revision of [9, 10, 1_000, 77_777, count * 10 - 1]) {
    const exact = (Math.floor(revision / 10) + 1) * 10_000;
    t.true((seen.oldestAfter(revision) ?? Number.POSITIVE_INFINITY) <= exact);
  }
  // What is newest is still exact.
  t.is(seen.oldestAfter(count * 10 - 1), count * 10_000);
  seen.forgetUpTo(count * 10);
  t.is(seen.oldestAfter(0), undefined);
});

test("a change ages at a site until its delta has been put there", (t) => {
  const durability = new Durability(SITES, 0);
  for (const site of SITES) durability.log(site).addBase(100);
  durability.received(100, 0);
  durability.received(105, 2_000);
  durability.received(110, 8_000);
  t.deepEqual(durability.at("primary", 9_000), { revision: 100, ageSeconds: 7 });
  durability.log("primary").addDelta({ first: 101, last: 105 });
  t.deepEqual(durability.at("primary", 9_000), { revision: 105, ageSeconds: 1 });
  t.deepEqual(durability.at("secondary", 9_000), { revision: 100, ageSeconds: 7 });
  durability.log("primary").addDelta({ first: 106, last: 110 });
  t.deepEqual(durability.at("primary", 9_000), { revision: 110, ageSeconds: 0 });
  // A later delta without the one before adds nothing.
  durability.log("secondary").addDelta({ first: 106, last: 110 });
  t.deepEqual(durability.at("secondary", 9_000), { revision: 100, ageSeconds: 7 });
});

test("what etcd says it has ages before the watch shows it", (t) => {
  const durability = new Durability(["primary"], 0);
  durability.log("primary").addBase(100);
  durability.received(100, 0);
  durability.answered(150, 5_000);
  t.deepEqual(durability.at("primary", 12_000), { revision: 100, ageSeconds: 7 });
  // Shown later, the changes are as old as before.
  durability.received(150, 11_000);
  t.deepEqual(durability.at("primary", 12_000), { revision: 100, ageSeconds: 7 });
});

test("while etcd says nothing, age counts from what it said last", (t) => {
  const durability = new Durability(["primary"], 0);
  durability.log("primary").addBase(100);
  durability.answered(100, 10_000);
  t.is(durability.at("primary", 39_000).ageSeconds, 0);
  t.is(durability.at("primary", 70_000).ageSeconds, 60);
  durability.answered(100, 69_000);
  t.is(durability.at("primary", 70_000).ageSeconds, 0);
});

test("a site without a base ages from the beginning, also across a new beginning of the log", (t) => {
  const durability = new Durability(SITES, 1_000);
  durability.received(50, 2_000);
  t.deepEqual(durability.at("secondary", 5_000), { revision: undefined, ageSeconds: 4 });
  durability.log("primary").addBase(50);
  durability.received(60, 4_000);
  durability.restart(6_000);
  durability.received(90, 6_000);
  durability.log("primary").addBase(90);
  t.deepEqual(durability.at("primary", 8_000), { revision: 90, ageSeconds: 0 });
  t.deepEqual(durability.at("secondary", 8_000), { revision: undefined, ageSeconds: 7 });
});
