import test from "ava";
import fc from "fast-check";
import {
  mergeRanges,
  newestRevision,
  planRevision,
  restorableRanges,
} from "../../../../src/operations/history/plan/plan-history.js";
import {
  oneLine,
  type SimulatedBase,
  type SimulatedHistory,
  type SimulatedStream,
  severalLines,
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
      const newest = newestRevision(bases, streams);
      t.is(newest === undefined, bases.length === 0);
      if (newest === undefined) return;
      t.true(planRevision(bases, streams, newest).length > 0);
      t.false(streams.some(({ held }) => held.has(newest + 1)));
    }),
  );
  t.pass();
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
