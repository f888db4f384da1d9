import test from "ava";
import fc from "fast-check";
import { Absences } from "../../../src/replication/sync/absences.js";
import {
  type MirrorPlan,
  type MirrorState,
  planMirror,
} from "../../../src/replication/sync/mirror-plan.js";
import type { StoredSnapshot } from "../../../src/snapshots/catalog.js";
import { listedSnapshot, listings, namesOf } from "../../support/stores/listed-snapshots.js";

const NONE: ReadonlySet<string> = new Set();

/** A plan in which everything that has gone may go, unless the test says otherwise. */
function plan(state: Pick<MirrorState, "source" | "target"> & Partial<MirrorState>): MirrorPlan {
  return planMirror({
    maxDeleteFraction: 1,
    graceMs: 0,
    held: NONE,
    locked: NONE,
    refused: NONE,
    absentMs: () => 0,
    ...state,
  });
}

const times = (list: readonly StoredSnapshot[]): number[] => list.map(({ name }) => name.time);

const reasons = ({ kept }: MirrorPlan): [number, string][] =>
  kept.map(({ snapshot, reason }): [number, string] => [snapshot.name.time, reason]);

const full = (time: number, more: object = {}) => listedSnapshot({ time, ...more });
const over = (time: number, base: number, more: object = {}) =>
  listedSnapshot({ time, base: `id-${base}`, ...more });

/** Three chains; the source has the last one. */
const TARGET = [full(10), over(20, 10), over(30, 20), full(40), full(50), over(60, 50)];
const SOURCE = TARGET.slice(4);

test("what has gone from the source is deleted, incrementals before their bases", (t) => {
  const { due, refusal } = plan({ source: SOURCE, target: TARGET });
  t.deepEqual(times(due), [40, 30, 20, 10]);
  t.is(refusal, undefined);
});

test("nothing is due while both stores have the same names, in whatever state the source has them", (t) => {
  const source = TARGET.map((one, i) => ({
    ...one,
    state: (["complete", "damaged", "unfinished"] as const)[i % 3] ?? "complete",
  }));
  t.deepEqual(plan({ source, target: TARGET }).due, []);
});

test("a source without a complete snapshot deletes nothing", (t) => {
  const unfinished = SOURCE.map((one) => ({ ...one, state: "unfinished" as const }));
  for (const source of [[], unfinished]) {
    const { due, refusal, absent } = plan({ source, target: TARGET });
    t.deepEqual(due, []);
    t.is(refusal, "source-empty");
    t.is(absent, undefined);
  }
  t.is(plan({ source: [], target: [] }).refusal, undefined);
});

test("a run that would delete more than the fraction deletes nothing", (t) => {
  const refusalAt = (maxDeleteFraction: number) =>
    plan({ source: SOURCE, target: TARGET, maxDeleteFraction }).refusal;
  t.is(refusalAt(4 / 6), undefined);
  t.is(refusalAt(0.5), "too-many");
  t.is(refusalAt(0), "too-many");
});

test("only what would be deleted counts for the fraction", (t) => {
  const state = { source: SOURCE, target: TARGET, maxDeleteFraction: 0.5 };
  t.is(plan({ ...state, locked: new Set(namesOf(TARGET.slice(3, 4))) }).refusal, undefined);
  t.is(
    plan({ ...state, graceMs: 10, absentMs: (name) => (name.endsWith("-40") ? 9 : 10) }).refusal,
    undefined,
  );
});

test("a source without the newest chain that the target can restore deletes nothing", (t) => {
  const source = TARGET.slice(0, 3);
  t.is(plan({ source, target: TARGET }).refusal, "newest-chain");
  // Also while it may come back.
  t.is(plan({ source, target: TARGET, graceMs: 10 }).refusal, "newest-chain");
  // Only its bases have gone: they are needed.
  const last = plan({ source: TARGET.slice(5), target: TARGET });
  t.is(last.refusal, undefined);
  t.deepEqual(reasons(last), [[50, "needed"]]);
});

test("the newest chain is the newest that is whole", (t) => {
  const broken = [...TARGET, over(70, 65), over(80, 70)];
  t.is(plan({ source: SOURCE, target: broken }).refusal, undefined);
  t.is(plan({ source: TARGET.slice(0, 3), target: broken }).refusal, "newest-chain");
  const ring = [...TARGET, over(70, 80), over(80, 70)];
  t.is(plan({ source: TARGET.slice(0, 3), target: ring }).refusal, "newest-chain");
});

test("a copy of the newest backup under a name that the source has is enough", (t) => {
  const target = [...TARGET, over(70, 50, { id: "id-60" })];
  t.is(plan({ source: SOURCE, target }).refusal, undefined);
});

test("a snapshot is kept until it has been absent for the grace period", (t) => {
  const absentMs = (name: string) => (name.endsWith("-40") ? 99 : 100);
  const { due, kept } = plan({ source: SOURCE, target: TARGET, graceMs: 100, absentMs });
  t.deepEqual(times(due), [30, 20, 10]);
  t.deepEqual(
    kept.map(({ snapshot, reason }) => [snapshot.name.time, reason]),
    [[40, "grace"]],
  );
});

test("held, locked and refused snapshots stay, with the bases that they need", (t) => {
  const names = new Set(namesOf(TARGET.slice(1, 2)));
  for (const [reason, more] of [
    ["held", { held: names }],
    ["locked", { locked: names }],
    ["refused", { refused: names }],
  ] as const) {
    const result = plan({ source: SOURCE, target: TARGET, ...more });
    t.deepEqual(times(result.due), [40, 30]);
    t.deepEqual(reasons(result).sort(), [
      [10, "needed"],
      [20, reason],
    ]);
  }
});

test("damaged snapshots and those with another program's file stay, and unfinished ones are left to others", (t) => {
  const target = [
    full(10, { state: "damaged" }),
    full(20, { foreign: true }),
    full(30, { state: "unfinished" }),
    ...SOURCE,
  ];
  const result = plan({ source: SOURCE, target });
  t.deepEqual(result.due, []);
  t.deepEqual(reasons(result), [
    [10, "damaged"],
    [20, "foreign"],
  ]);
});

test("the base of a snapshot that is being written, or cannot be read, stays", (t) => {
  for (const more of [{ state: "unfinished" }, { state: "damaged", opaque: true }] as const) {
    const target = [full(10), full(20), over(30, 20, more), ...SOURCE];
    t.deepEqual(times(plan({ source: SOURCE, target }).due), []);
    const before = [over(5, 1, more), full(10), full(20), ...SOURCE];
    t.deepEqual(times(plan({ source: SOURCE, target: before }).due), [20, 10]);
  }
});

test("of a base with two names one is enough", (t) => {
  const target = [full(10), full(11, { id: "id-10" }), over(50, 10)];
  const result = plan({ source: target.slice(2), target });
  t.deepEqual(times(result.due), [11]);
  t.deepEqual(reasons(result), [[10, "needed"]]);
});

test("bases are deleted after their incrementals whatever their times", (t) => {
  const target = [over(10, 20), over(20, 30), full(30), ...SOURCE];
  t.deepEqual(times(plan({ source: SOURCE, target }).due), [10, 20, 30]);
});

test("a mirror of 10,000 snapshots in one chain is planned", (t) => {
  const chain = Array.from({ length: 10_000 }, (_, i) => (i === 0 ? full(1) : over(i + 1, i)));
  const target = [...chain, full(20_000)];
  t.is(plan({ source: target.slice(-1), target }).due.length, 10_000);
  t.is(plan({ source: target.slice(-2), target }).due.length, 0);
});

const states = fc.record({
  source: listings(9),
  target: listings(9),
  maxDeleteFraction: fc.constantFrom(0, 0.3, 0.5, 1),
  held: fc.uniqueArray(fc.integer({ min: 1, max: 9 }), { maxLength: 2 }),
  locked: fc.uniqueArray(fc.integer({ min: 1, max: 9 }), { maxLength: 2 }),
  refused: fc.uniqueArray(fc.integer({ min: 1, max: 9 }), { maxLength: 2 }),
  absent: fc.array(fc.nat(4), { minLength: 9, maxLength: 9 }),
});

test("no rule is broken, whatever the stores show", (t) => {
  let deletions = 0;
  fc.assert(
    fc.property(states, ({ source, target, maxDeleteFraction, held, locked, refused, absent }) => {
      const named = (some: readonly number[]) =>
        new Set(namesOf(target.filter(({ name }) => some.includes(name.time))));
      const absentMs = (name: string) => absent[Number(name.split("-").at(-1)) - 1] ?? 0;
      const state = {
        source,
        target,
        maxDeleteFraction,
        graceMs: 1,
        held: named(held),
        locked: named(locked),
        refused: named(refused),
        absentMs,
      };
      const result = planMirror(state);
      if (result.refusal === undefined) deletions += result.due.length;
      checkPlan(result, state);
    }),
    { numRuns: 5000 },
  );
  t.true(deletions > 100, `${deletions} deletions`);
});

/** An independent reading of the rules, without a thought for speed. */
function checkPlan(result: MirrorPlan, state: MirrorState): void {
  const { source, target } = state;
  const fail = (why: string, one?: StoredSnapshot): never => {
    throw new Error(`${why}: ${one?.name.text}`);
  };
  const inSource = new Set(namesOf(source));
  const mayGo = (one: StoredSnapshot): boolean =>
    one.state === "complete" &&
    !inSource.has(one.name.text) &&
    one.foreign === undefined &&
    !state.held.has(one.name.text) &&
    !state.locked.has(one.name.text) &&
    !state.refused.has(one.name.text) &&
    state.absentMs(one.name.text) >= state.graceMs;
  for (const one of result.due) if (!mayGo(one)) fail("must stay", one);
  // One after the other, so that no moment leaves an incremental without its base.
  let left = target;
  for (const one of result.due) {
    left = left.filter((other) => other !== one);
    if (isNeeded(one, left)) fail("is needed", one);
  }
  if (result.refusal !== "source-empty" && target.some(({ state }) => state === "complete")) {
    for (const one of left)
      if (mayGo(one) && !isNeeded(one, without(left, one))) fail("stays", one);
  }
  if (result.refusal !== undefined) return;
  if (result.due.length > 0 && !source.some(({ state }) => state === "complete")) fail("no source");
  const complete = target.filter(({ state }) => state === "complete");
  if (result.due.length > state.maxDeleteFraction * complete.length) fail("too many");
  const newest = complete.findLast((one) => isRestorable(one, complete));
  if (newest === undefined) return;
  const copies = left.filter((one) => one.state === "complete");
  const still = copies.some(
    (one) => one.facts?.id === newest.facts?.id && isRestorable(one, copies),
  );
  if (!still) fail("the newest chain is lost", newest);
}

const without = (list: readonly StoredSnapshot[], one: StoredSnapshot) =>
  list.filter((other) => other !== one);

function isNeeded(one: StoredSnapshot, left: readonly StoredSnapshot[]): boolean {
  const id = one.facts?.id;
  const opaque = left.some(
    ({ name, facts }) =>
      facts === undefined && name.kind === "incremental" && name.time >= one.name.time,
  );
  if (opaque) return true;
  if (left.some((other) => other.state === "complete" && other.facts?.id === id)) return false;
  return left.some(({ facts }) => facts !== undefined && facts.base === id);
}

function isRestorable(one: StoredSnapshot, all: readonly StoredSnapshot[]): boolean {
  let ids = [one.facts?.id];
  for (let steps = 0; steps <= all.length; steps++) {
    const found = all.filter(({ facts }) => ids.includes(facts?.id));
    if (found.some(({ facts }) => facts?.base === null)) return true;
    ids = found.map(({ facts }) => facts?.base ?? undefined);
  }
  return false;
}

test("a grace period counts from the first time that a snapshot was absent, and starts again when it was there", (t) => {
  const absences = new Absences();
  absences.update(new Set(["a", "b"]), 100);
  absences.update(new Set(["a", "c"]), 150);
  t.is(absences.durationMs("a", 200), 100);
  t.is(absences.durationMs("b", 200), 0);
  t.is(absences.durationMs("c", 200), 50);
  absences.update(new Set(["b"]), 210);
  absences.forget("b");
  t.is(absences.durationMs("b", 300), 0);
});
