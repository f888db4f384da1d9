import test from "ava";
import fc from "fast-check";
import { newestRevision } from "../../../../src/operations/history/plan/newest-revision.js";
import {
  mergeRanges,
  planRevision,
  restorableRanges,
} from "../../../../src/operations/history/plan/plan-history.js";
import {
  lateFulls,
  oneLine,
  type SimulatedBase,
  type SimulatedHistory,
  type SimulatedStream,
  severalLines,
  troubled,
} from "../../../support/history/simulated-history.js";
import type { HistoryPlan } from "../../../../src/operations/history/plan/plan-history.js";

type Plan = HistoryPlan<SimulatedBase, SimulatedStream>;

/** Whether base and log hold all changes up to the revision, of one line. */
function isRight({ base, revision, log }: Plan): boolean {
  if (base.revision >= revision) {
    return base.revision === revision || (base.compactRevision ?? 0) <= revision;
  }
  let next = base.revision + 1;
  for (const { stream, first, last } of log) {
    if (first !== next) return false;
    for (; next <= last; next++) if (!stream.held.has(next)) return false;
  }
  return next === revision + 1;
}

/** By brute force, over the deltas alone. */
function isReachable({ bases, streams }: SimulatedHistory, revision: number): boolean {
  return bases.some((base) => {
    if (base.revision > revision) return (base.compactRevision ?? 0) <= revision;
    for (let next = base.revision + 1; next <= revision; next++) {
      if (!streams.some(({ held }) => held.has(next))) return false;
    }
    return true;
  });
}

test("on one line, a revision has a plan exactly when base and deltas hold it", (t) => {
  fc.assert(
    fc.property(oneLine, (history) => {
      const { bases, streams, line } = history;
      for (let revision = 1; revision <= line.length + 2; revision++) {
        const plans = planRevision(bases, streams, revision);
        t.is(plans.length > 0, isReachable(history, revision), `revision ${revision}`);
        for (const plan of plans) t.true(isRight(plan), `revision ${revision}`);
      }
    }),
  );
  t.pass();
});

test("on one line, the newest base before the revision comes first", (t) => {
  fc.assert(
    fc.property(oneLine, fc.nat(60), ({ bases, streams }, revision) => {
      const plans = planRevision(bases, streams, revision);
      const forward = plans.filter(({ base }) => base.revision <= revision);
      if (forward.length === 0) return;
      const newest = Math.max(...forward.map(({ base }) => base.revision));
      t.is(plans[0]?.base.revision, newest);
    }),
  );
  t.pass();
});

test("the restorable ranges are the revisions that have a plan", (t) => {
  fc.assert(
    fc.property(oneLine, ({ bases, streams, line }) => {
      const ranges = restorableRanges(bases, streams);
      for (let revision = 1; revision <= line.length + 2; revision++) {
        const within = ranges.some(({ first, last }) => first <= revision && revision <= last);
        t.is(within, planRevision(bases, streams, revision).length > 0, `revision ${revision}`);
      }
    }),
  );
  t.pass();
});

test("the newest revision is restorable, and no later one follows it without a gap", (t) => {
  fc.assert(
    fc.property(oneLine, ({ bases, streams }) => {
      const newest = newestRevision(bases, streams)?.revision;
      t.is(newest === undefined, bases.length === 0);
      if (newest === undefined) return;
      t.true(planRevision(bases, streams, newest).length > 0);
      t.false(streams.some(({ held }) => held.has(newest + 1)));
    }),
  );
  t.pass();
});

/** The last revision of etcd's line at the end that a base on it and what deltas hold of that line reach. */
function reachOf({ streams, line }: SimulatedHistory, base: SimulatedBase): number {
  if (base.line.at(-1) !== line[base.revision - 1]) return 0;
  let end = base.revision;
  while (end < line.length && isHeld(streams, end + 1, line[end])) end++;
  return end;
}

function lastSeenMs({ deltas }: SimulatedStream): number {
  return deltas.length === 0 ? 0 : 1000 * deltas.at(deltas.length - 1).time + 999;
}

function isHeld(
  streams: readonly SimulatedStream[],
  revision: number,
  written: SimulatedHistory["line"][number] | undefined,
): boolean {
  return streams.some(({ held }) => written !== undefined && held.get(revision) === written);
}

test("fulls that are complete late do not hide what a base and the deltas after it reach", (t) => {
  fc.assert(
    fc.property(lateFulls, (history) => {
      const { bases, streams } = history;
      if (bases.length === 0) return;
      const newest = newestRevision(bases, streams);
      t.is(newest?.revision, Math.max(...bases.map((base) => reachOf(history, base))));
      // Within two seconds, a full could have been begun after the last delta.
      const lastMs = Math.max(0, ...streams.map((stream) => lastSeenMs(stream)));
      for (const { begunMs } of newest?.doubtful ?? []) t.true(begunMs > lastMs - 2000);
      t.is(newest?.undone, undefined);
    }),
    { numRuns: 500 },
  );
  t.pass();
});

test("the newest revision is never before what a base in the log reaches, whatever clocks say, unless that is named", (t) => {
  let logged = 0;
  let named = 0;
  fc.assert(
    fc.property(troubled, (history) => {
      const { bases, streams, line } = history;
      const reached = bases
        .filter(({ revision }) =>
          [revision, revision + 1].some((one) => isHeld(streams, one, line[one - 1])),
        )
        .map((base) => reachOf(history, base));
      if (reached.length === 0) return;
      logged++;
      const { revision = 0, undone, doubtful = [] } = newestRevision(bases, streams) ?? {};
      const furthest = Math.max(...reached);
      if (revision < furthest) named++;
      const isNamed = undone !== undefined || doubtful.length > 0;
      t.true(revision >= furthest || isNamed, `${revision}, and not ${furthest}`);
      t.true(planRevision(bases, streams, revision).length > 0);
    }),
    { numRuns: 1000 },
  );
  t.true(logged > 100 && named < logged / 10, `${named} of ${logged}`);
});

const base = (revision: number, begunMs: number, takenMs = begunMs) => {
  return { name: `${revision}`, revision, begunMs, takenMs };
};

/** A stream of one delta. */
const stream = (first: number, last: number, time: number, seen = time) => {
  return {
    name: { text: `${first}`, firstRevision: first, time },
    runs: [{ at: 0, count: 1, first, last }],
    deltas: { at: () => ({ first, last, time: seen }) },
  };
};

test("a full that was begun before the base of the log, and ended after it, is not the newest", (t) => {
  const bases = [base(999, 100_000, 900_000), base(1000, 200_000)];
  const streams = [stream(1001, 50_000, 200, 800)];
  t.deepEqual(newestRevision(bases, streams), { revision: 50_000, doubtful: [] });
  t.is(planRevision(bases, streams, 50_000)[0]?.base.revision, 1000);
});

test("a base that merges an early part of the log is not the newest", (t) => {
  // It was begun when its last revision was seen, and complete when that was merged.
  const merged = base(500, 1000, 900_000);
  const bases = [base(1, 1000), base(1000, 200_000), merged];
  const streams = [stream(2, 500, 1), stream(1001, 50_000, 200)];
  t.is(newestRevision(bases, streams)?.revision, 50_000);
});

test("streams are in the order of their names, whatever clocks say of their deltas", (t) => {
  const bases = [base(100, 1_000_000)];
  const [first, second] = [stream(101, 200, 1000, 1050), stream(201, 9000, 1060, 700)];
  t.is(newestRevision(bases, [second, first])?.revision, 9000);
  const [plan] = planRevision(bases, [second, first], 5000);
  t.deepEqual(
    plan?.log.map(({ stream: { name }, ...range }) => [name.text, range]),
    [
      ["101", { first: 101, last: 200 }],
      ["201", { first: 201, last: 5000 }],
    ],
  );
});

test("a base that was begun after a higher revision was seen is the newest, and the revision before is named", (t) => {
  const [older, newer] = [base(1000, 100_000), base(600, 900_000)];
  const restored = { revision: 600, doubtful: [], undone: 1000 };
  t.deepEqual(newestRevision([older, newer], []), restored);
  const streams = [stream(1001, 5000, 100)];
  t.deepEqual(newestRevision([older, newer], streams), { ...restored, undone: 5000 });
  t.is(planRevision([older, newer], streams, 600, { live: true })[0]?.base, newer);
  // As a plain revision, what was undone can be restored.
  t.is(planRevision([older, newer], streams, 5000)[0]?.base, older);
});

test("a restore of etcd to the revision of a delta is seen by the base alone, also in the log", (t) => {
  const full = base(100, 9000);
  const empty = { ...stream(196, 196, 100), runs: [] };
  const restored = { ...base(195, 100_000), stream: empty.name };
  const listed = [stream(101, 200, 10, 20), empty];
  t.deepEqual(newestRevision([full, restored], listed), {
    revision: 195,
    doubtful: [],
    undone: 200,
  });
  const plans = planRevision([full, restored], listed, 195, { live: true });
  t.deepEqual(
    plans.map((plan) => plan.base),
    [restored],
  );
  // It cannot be read: what was before the restore is not taken in its place.
  const evidence = [full, restored];
  t.is(newestRevision([full], listed, evidence)?.revision, 195);
  t.deepEqual(planRevision([full], listed, 195, { live: true, evidence }), []);
});

test("a base of the same second as the last delta is named", (t) => {
  const [full, same] = [base(100, 9000), base(195, 20_000)];
  const newest = newestRevision([full, same], [stream(101, 200, 10, 20)]);
  t.deepEqual(newest, { revision: 200, doubtful: [same] });
});

test("where two servers wrote the same revisions, one fills what cannot be read of the other", (t) => {
  const streamOf = (text: string, time: number, ranges: readonly (readonly [number, number])[]) => {
    const deltas = ranges.map(([first, last]) => ({ first, last, time: time + 1 }));
    const [first, last] = [ranges[0]?.[0] ?? 0, ranges.at(-1)?.[1] ?? 0];
    return {
      name: { text, firstRevision: first, time },
      runs: [{ at: 0, count: deltas.length, first, last }],
      deltas: { at: (i: number) => deltas[i] ?? { first: 0, last: 0, time: 0 } },
    };
  };
  const former = streamOf("former", 1000, [
    [101, 150],
    [151, 200],
  ]);
  const leader = streamOf("leader", 1010, [
    [181, 189],
    [190, 195],
    [196, 220],
  ]);
  const [full, streams] = [base(100, 900_000), [former, leader]];
  const unreadable = [{ stream: leader, revision: 190 }];
  const logs = (revision: number, live: boolean) =>
    planRevision([full], streams, revision, { live, unreadable }).map(({ log }) =>
      log.map(({ stream: { name }, first, last }) => `${name.text} ${first}-${last}`).join(", "),
    );
  const filled = "former 101-180, leader 181-189, former 190-195, leader 196-220";
  t.deepEqual(logs(220, true), [filled]);
  // It ends where nothing of the newest stream follows.
  t.deepEqual(logs(193, true), []);
  t.true(logs(193, false).includes("former 101-193"));
  // Right after a base, nothing shows that it is of the same history.
  const same = planRevision([base(189, 1_009_000)], streams, 220, { live: true, unreadable });
  t.deepEqual(same, []);
  const ranges = restorableRanges([full], streams, { unreadable });
  t.deepEqual(ranges, [{ first: 100, last: 220 }]);
  t.deepEqual(
    restorableRanges([full], [leader, streamOf("former", 1000, [[101, 185]])], { unreadable }),
    [{ first: 100, last: 189 }],
  );
});

test("the time of a full does not outdate the base of a stream that has no delta yet", (t) => {
  const ahead = base(500, 900_000);
  const begun = { ...base(600, 200_000), stream: { text: "601" } };
  t.is(newestRevision([ahead, begun], [])?.revision, 600);
  const restored = { ...base(320, 950_000), stream: { text: "321" } };
  t.is(newestRevision([ahead, begun, restored], [])?.revision, 320);
});

test("a base from before a restore of etcd is not the newest, even if it was complete after it", (t) => {
  const bases = [base(250, 1000), base(1000, 400_000, 600_000), base(320, 500_000)];
  const streams = [stream(251, 900, 2, 300), stream(321, 400, 500)];
  t.is(newestRevision(bases, streams)?.revision, 400);
});

test("after restores of etcd, the first plan whose base and log agree is of the newest line that holds the revision", (t) => {
  fc.assert(
    fc.property(severalLines, ({ bases, streams, line }) => {
      for (let revision = 1; revision <= line.length; revision++) {
        const plans = planRevision(bases, streams, revision);
        const first = plans.find(agrees);
        const hasBase = bases.some(
          ({ revision: of, line: its }) => of <= revision && its.at(-1) === line[of - 1],
        );
        const inLog = (of: number) => streams.some(({ held }) => held.get(of) === line[of - 1]);
        const base = Math.max(
          ...bases
            .filter(
              ({ line: its }) => its.length <= revision && its.at(-1) === line[its.length - 1],
            )
            .map(({ revision: of }) => of),
        );
        const reachable =
          hasBase && line.slice(base, revision).every(({ revision: of }) => inLog(of));
        if (!reachable) continue;
        t.truthy(first, `revision ${revision}`);
        if (first !== undefined) t.is(stateOf(first), line[revision - 1], `revision ${revision}`);
      }
    }),
  );
  t.pass();
});

/** What comparing the changes of the base's last revision with the log finds. */
function agrees({ base, log }: Plan): boolean {
  const [first] = log;
  const before = first?.stream.held.get(base.revision);
  // Without the same revision in the log, its `before` tells; here the seen time does.
  const next = first?.stream.held.get(base.revision + 1);
  if (before !== undefined) return before === base.line.at(-1);
  return next === undefined || next.seenMs >= (base.line.at(-1)?.seenMs ?? 0);
}

function stateOf({ base, revision, log }: Plan) {
  const last = log.at(-1);
  return last === undefined ? base.line[revision - 1] : last.stream.held.get(revision);
}

test("ranges that overlap or touch become one", (t) => {
  const range = (first: number, last: number) => ({ first, last });
  t.deepEqual(mergeRanges([range(5, 7), range(1, 2), range(3, 3), range(6, 9), range(11, 11)]), [
    range(1, 3),
    range(5, 9),
    range(11, 11),
  ]);
});
