import test from "ava";
import fc from "fast-check";
import { copyPlan } from "../../../src/replication/copy/plan.js";
import { snapshotName } from "../../../src/snapshots/name.js";
import type { StoredSnapshot } from "../../../src/snapshots/catalog.js";

function snapshot(time: number, base: number | null, id = time): StoredSnapshot {
  const kind = base === null ? ("full" as const) : ("incremental" as const);
  const at = new Date(time * 1000).toISOString();
  return {
    name: snapshotName({ kind, firstRevision: 0, lastRevision: 0, time }),
    state: "complete",
    facts: {
      id: String(id),
      kind,
      base: base === null ? null : String(base),
      startedAt: at,
      finishedAt: at,
      files: 1,
      bytes: 1,
      digest: String(id),
    },
  };
}

const times = (plan: readonly StoredSnapshot[]): number[] => plan.map(({ name }) => name.time);

// Two chains that overlap in time, and a full backup without incrementals.
const HISTORY = [
  snapshot(10, null),
  snapshot(20, 10),
  snapshot(30, null),
  snapshot(40, 20),
  snapshot(50, 30),
  snapshot(60, null),
];

test("the newest backups are full ones with their incrementals", (t) => {
  t.deepEqual(times(copyPlan(HISTORY, { maxBackups: 1 })), [60]);
  t.deepEqual(times(copyPlan(HISTORY, { maxBackups: 2 })), [30, 50, 60]);
  t.deepEqual(times(copyPlan(HISTORY, { maxBackups: 3 })), [10, 20, 30, 40, 50, 60]);
});

test("recent snapshots are selected with their whole chain, whatever its age", (t) => {
  t.deepEqual(times(copyPlan(HISTORY, { since: new Date(40_000) })), [10, 20, 30, 40, 50, 60]);
  t.deepEqual(times(copyPlan(HISTORY, { since: new Date(50_000) })), [30, 50, 60]);
  t.deepEqual(times(copyPlan(HISTORY, { since: new Date(61_000) })), []);
});

test("unfinished and damaged snapshots are skipped", (t) => {
  const bad = HISTORY.map((one, i) => (i === 0 ? { ...one, state: "damaged" as const } : one));
  t.deepEqual(times(copyPlan(bad, {})), [20, 30, 40, 50, 60]);
});

test("each snapshot is planned once and after its base, whatever the chains", (t) => {
  const histories = fc.array(fc.record({ time: fc.nat(5), base: fc.option(fc.nat(9)) }), {
    maxLength: 10,
  });
  fc.assert(
    fc.property(histories, (list) => {
      const all = list.map(({ time, base }, id) => snapshot(time, base, id));
      const plan = copyPlan(all, {});
      t.is(new Set(plan).size, all.length);
      t.is(plan.length, all.length);
      for (const [i, one] of plan.entries()) {
        const base = one.facts?.base;
        const at = plan.findIndex(({ facts }) => facts?.id === base);
        const standing = plan[at];
        if (base == null || standing === undefined || at < i) continue;
        t.true(standsOn(all, standing, one), "only in a ring may a base come after");
      }
    }),
  );
});

function standsOn(
  all: readonly StoredSnapshot[],
  one: StoredSnapshot,
  other: StoredSnapshot,
): boolean {
  let at: StoredSnapshot | undefined = one;
  for (let steps = 0; steps <= all.length && at !== undefined; steps++) {
    if (at === other) return true;
    const base: string | null | undefined = at.facts?.base;
    at = all.find(({ facts }) => facts?.id === base);
  }
  return false;
}
