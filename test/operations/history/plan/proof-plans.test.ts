import test from "ava";
import fc from "fast-check";
import { isAfterRestore, proofPlans } from "../../../../src/operations/history/plan/proof-plans.js";
import type { HistoryPlan } from "../../../../src/operations/history/plan/plan-history.js";
import {
  lateFulls,
  oneLine,
  type SimulatedBase,
  type SimulatedHistory,
  type SimulatedStream,
  severalLines,
} from "../../../support/history/simulated-history.js";

type Plan = HistoryPlan<SimulatedBase, SimulatedStream>;
type Outcome = "proven" | "differs" | "not compared";

const before = (base: SimulatedBase, bases: readonly SimulatedBase[]) =>
  bases.filter((one) => one !== base && one.takenMs <= base.takenMs);

/** What a comparison along the plans of a base finds. */
function outcomeOf(base: SimulatedBase, { bases, streams }: SimulatedHistory): Outcome {
  const outcomes = proofPlans(base, before(base, bases), streams).map((plan) =>
    compare(plan, base),
  );
  return outcomes.find((one) => one === "proven") ?? outcomes[0] ?? "not compared";
}

function compare({ base: older, log }: Plan, newer: SimulatedBase): Outcome {
  // The log has to follow the older base, by the changes of its last revision.
  const held = log[0]?.stream.held.get(older.revision);
  if (held !== undefined && held !== older.line.at(-1)) return "not compared";
  const made = [...older.line];
  for (const { stream, first, last } of log) {
    for (let revision = first; revision <= last; revision++) {
      const one = stream.held.get(revision);
      if (one !== undefined) made.push(one);
    }
  }
  const isSame = made.length === newer.revision && made.every((one, i) => one === newer.line[i]);
  return isSame ? "proven" : "differs";
}

/** Whether an older base of the history of a base, and deltas that hold all in between, are there. */
function canBeProven(base: SimulatedBase, { bases, streams }: SimulatedHistory): boolean {
  return before(base, bases).some(
    (older) =>
      older.revision < base.revision &&
      older.line.every((one, i) => one === base.line[i]) &&
      base.line
        .slice(older.revision)
        .every((one) => streams.some(({ held }) => held.get(one.revision) === one)),
  );
}

for (const [what, histories] of [
  ["one history", oneLine],
  ["one history with slow backups", lateFulls],
  ["several histories", severalLines],
] as const) {
  test(`in ${what}, right deltas never differ, and prove each base that they lead to`, (t) => {
    let proven = 0;
    fc.assert(
      fc.property(histories, (history) => {
        for (const base of history.bases) {
          const outcome = outcomeOf(base, history);
          t.not(outcome, "differs", base.name);
          if (canBeProven(base, history)) t.is(outcome, "proven", base.name);
          if (outcome === "proven") proven++;
        }
      }),
      { numRuns: 2000 },
    );
    t.true(proven > 100);
  });
}

const MINUTE = 60_000;

const base = (name: string, revision: number, begunMs: number, takenMs = begunMs + 1000) => {
  return { name, revision, begunMs, takenMs };
};

/** A stream of one delta, which was seen a minute after its start. */
const stream = (text: string, first: number, last: number, startMs: number) => {
  return {
    name: { text, firstRevision: first, time: startMs / 1000 },
    runs: [{ at: 0, count: 1, first, last }],
    deltas: { at: () => ({ first, last, time: (startMs + MINUTE) / 1000 }) },
  };
};

const ways = (...args: Parameters<typeof proofPlans>) =>
  proofPlans(...args).map(({ base: { name }, log }) => [
    name,
    ...log.map(({ stream: of, first, last }) => `${of.name.text} ${first}-${last}`),
  ]);

test("a base is compared along the history of its time, which a later one repeats", (t) => {
  const streams = [stream("A", 481, 600, MINUTE), stream("B", 501, 700, 60 * MINUTE)];
  const older = base("older", 480, 0);
  t.deepEqual(ways(base("of A", 560, 30 * MINUTE), [older], streams), [["older", "A 481-560"]]);
  t.deepEqual(ways(base("of B", 560, 90 * MINUTE), [older], streams), [
    ["older", "A 481-500", "B 501-560"],
  ]);
  // Etcd was restored while the backup was made: its raw snapshot is of before or of after that.
  t.deepEqual(ways(base("of either", 560, 30 * MINUTE, 90 * MINUTE), [older], streams), [
    ["older", "A 481-500", "B 501-560"],
    ["older", "A 481-560"],
  ]);
});

test("a base is not compared along an older history, or with a base of one alone", (t) => {
  const streams = [stream("A", 481, 600, MINUTE), stream("B", 501, 550, 60 * MINUTE)];
  const older = [base("older", 480, 0), base("of A", 560, 30 * MINUTE)];
  t.deepEqual(ways(base("of B", 560, 90 * MINUTE), older, streams), []);
});

test("what a former leader had not stored is read of the stream of the next one", (t) => {
  const streams = [stream("A", 481, 500, MINUTE), stream("B", 501, 700, 60 * MINUTE)];
  const plans = ways(base("newer", 560, 30 * MINUTE), [base("older", 480, 0)], streams);
  t.deepEqual(plans, [["older", "A 481-500", "B 501-560"]]);
});

test("a base of a lower revision than deltas that were seen before it is of another history", (t) => {
  const streams = [stream("A", 481, 600, MINUTE)];
  const made = { ...base("B", 510, 30 * MINUTE), stream: { text: "B" } };
  t.true(isAfterRestore(made, streams));
  t.true(isAfterRestore(base("full", 510, 30 * MINUTE), streams));
  t.true(isAfterRestore(made, [...streams, stream("B", 511, 520, 30 * MINUTE)]));
  t.false(isAfterRestore({ ...made, revision: 600 }, streams));
  // Deltas that were seen later than it was begun.
  t.false(isAfterRestore({ ...made, begunMs: MINUTE }, streams));
  // An earlier restore, after which the base is as it should be.
  const before = [stream("Z", 401, 900, 0), ...[stream("A", 481, 505, 5 * MINUTE)]];
  t.false(isAfterRestore(made, before));
});
