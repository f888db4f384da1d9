import test from "ava";
import fc from "fast-check";
import {
  afterCopy,
  lackingOf,
  planSync,
  type SyncPlan,
  type SyncState,
} from "../../../src/replication/sync/sync-plan.js";
import type { StoredSnapshot } from "../../../src/snapshots/catalog.js";
import { listedSnapshot, listings, namesOf } from "../../support/stores/listed-snapshots.js";

const times = (list: readonly StoredSnapshot[]): number[] => list.map(({ name }) => name.time);

function timesOf(state: SyncState) {
  const { copy, conflicts, blocked, unwanted } = planSync(state);
  return {
    copy: times(copy),
    conflicts: times(conflicts),
    blocked: times(blocked),
    unwanted: times(unwanted),
  };
}

const NOTHING = { copy: [], conflicts: [], blocked: [], unwanted: [] };

/** Two chains that overlap in time. */
const HISTORY = [
  listedSnapshot({ time: 10 }),
  listedSnapshot({ time: 20, base: "id-10" }),
  listedSnapshot({ time: 30 }),
  listedSnapshot({ time: 40, base: "id-20" }),
  listedSnapshot({ time: 50, base: "id-30" }),
];

test("what the target lacks is copied: the newest chain first, and each base before its incrementals", (t) => {
  t.deepEqual(timesOf({ source: HISTORY, target: [] }), {
    ...NOTHING,
    copy: [30, 50, 10, 20, 40],
  });
  const target = HISTORY.slice(0, 3);
  t.deepEqual(timesOf({ source: HISTORY, target }), { ...NOTHING, copy: [50, 40] });
});

test("two stores with the same snapshots have nothing to do", (t) => {
  t.deepEqual(timesOf({ source: HISTORY, target: HISTORY }), NOTHING);
  t.deepEqual(timesOf({ source: [], target: HISTORY }), NOTHING);
});

test("only complete snapshots of the source count", (t) => {
  const source = [
    listedSnapshot({ time: 1, state: "unfinished" }),
    listedSnapshot({ time: 2, state: "damaged" }),
  ];
  t.deepEqual(timesOf({ source, target: [] }), NOTHING);
});

test("an unfinished or damaged snapshot of the target is completed", (t) => {
  for (const there of [
    listedSnapshot({ time: 10, state: "unfinished" }),
    listedSnapshot({ time: 10, state: "damaged" }),
    listedSnapshot({ time: 10, state: "damaged", digest: "other" }),
    listedSnapshot({ time: 10, state: "damaged", opaque: true }),
  ]) {
    t.deepEqual(timesOf({ source: HISTORY.slice(0, 1), target: [there] }), {
      ...NOTHING,
      copy: [10],
    });
  }
});

test("another complete backup of the same name is a conflict, and its incrementals are blocked", (t) => {
  const target = [listedSnapshot({ time: 10, id: "x" })];
  t.deepEqual(timesOf({ source: HISTORY, target }), {
    ...NOTHING,
    copy: [30, 50],
    conflicts: [10],
    blocked: [20, 40],
  });
  // The same backup with another manifest: one of the two manifests is wrong.
  const changed = [listedSnapshot({ time: 10, digest: "changed" })];
  t.deepEqual(timesOf({ source: HISTORY.slice(0, 1), target: changed }).conflicts, [10]);
});

test("an incremental is not blocked if the target has its base under another name", (t) => {
  const target = [listedSnapshot({ time: 10, id: "x" }), listedSnapshot({ time: 11, id: "id-10" })];
  t.deepEqual(timesOf({ source: HISTORY.slice(0, 2), target }), {
    ...NOTHING,
    copy: [20],
    conflicts: [10],
  });
});

test("a held snapshot is not replaced by another backup, but is repaired", (t) => {
  const held = new Set(namesOf(HISTORY));
  const source = HISTORY.slice(0, 1);
  for (const [digest, opaque, expected] of [
    ["other", false, { ...NOTHING, conflicts: [10] }],
    [undefined, true, { ...NOTHING, conflicts: [10] }],
    [undefined, false, { ...NOTHING, copy: [10] }],
  ] as const) {
    const target = [listedSnapshot({ time: 10, state: "damaged", digest, opaque })];
    t.deepEqual(timesOf({ source, target, held }), expected);
  }
});

test("what the target's retention would delete is not copied, except for bases", (t) => {
  const wanted = (names: readonly number[]) => (listing: readonly StoredSnapshot[]) =>
    new Set(namesOf(listing.filter(({ name }) => names.includes(name.time))));
  t.deepEqual(timesOf({ source: HISTORY, target: [], wanted: wanted([40]) }), {
    ...NOTHING,
    copy: [10, 20, 40],
    unwanted: [30, 50],
  });
  t.deepEqual(timesOf({ source: HISTORY, target: [], wanted: wanted([]) }), {
    ...NOTHING,
    unwanted: [10, 20, 30, 40, 50],
  });
});

test("retention decides about the target as it would be after the copies", (t) => {
  const target = [listedSnapshot({ time: 5 }), listedSnapshot({ time: 30, state: "unfinished" })];
  planSync({
    source: HISTORY,
    target,
    wanted: (listing) => {
      t.deepEqual(times(listing), [5, 10, 20, 30, 40, 50]);
      t.true(listing.every(({ state }) => state === "complete"));
      return new Set();
    },
  });
});

test("an incremental whose base neither store has is copied", (t) => {
  t.deepEqual(timesOf({ source: HISTORY.slice(1, 2), target: [] }), { ...NOTHING, copy: [20] });
});

test("a chain of 10,000 incrementals is planned in their order", (t) => {
  const source = Array.from({ length: 10_000 }, (_, i) =>
    listedSnapshot({ time: i + 1, base: i === 0 ? undefined : `id-${i}` }),
  );
  t.deepEqual(times(planSync({ source, target: [] }).copy), times(source));
});

const stores = fc.tuple(listings(9), listings(9));

test("each snapshot that the target lacks is in one part of the plan, whatever the stores show", (t) => {
  const names = fc.uniqueArray(fc.integer({ min: 1, max: 9 }));
  fc.assert(
    fc.property(stores, fc.option(names), fc.option(names), ([source, target], some, hold) => {
      const pick = (times: readonly number[]) => (listing: readonly StoredSnapshot[]) =>
        new Set(namesOf(listing.filter(({ name }) => times.includes(name.time))));
      const held = pick(hold ?? [])(target);
      const wanted = some === null ? undefined : pick(some);
      const plan = planSync({ source, target, held, wanted });
      checkPlan(plan, { source, target, held, wanted });
    }),
    { numRuns: 2000 },
  );
  t.pass();
});

/** An independent reading of the rules, without a thought for speed. */
function checkPlan(plan: SyncPlan, { source, target, held, wanted }: SyncState): void {
  const fail = (why: string, one?: StoredSnapshot): never => {
    throw new Error(`${why}: ${one?.name.text}`);
  };
  const there = ({ name }: StoredSnapshot) => target.find((one) => one.name.text === name.text);
  const complete = target.filter(({ state }) => state === "complete");
  const parts = [...plan.copy, ...plan.blocked, ...plan.conflicts, ...plan.unwanted];
  if (new Set(parts).size !== parts.length) fail("planned twice");
  for (const one of source) {
    const other = there(one);
    const same = other?.state === "complete" && other.facts?.digest === one.facts?.digest;
    const lacks = one.state === "complete" && !same;
    if (!lacks && parts.includes(one)) fail("planned without need", one);
    const isOther = other !== undefined && other.facts?.digest !== one.facts?.digest;
    const kept =
      other?.state === "complete" ||
      (other?.state === "damaged" && held?.has(one.name.text) === true);
    if (lacks && !(isOther && kept) && !parts.includes(one)) fail("forgotten", one);
    if (plan.copy.includes(one) && isOther && kept) fail("replaces another backup", one);
    if (plan.conflicts.includes(one) && !(lacks && isOther && kept)) fail("no conflict", one);
  }
  for (const [at, one] of plan.copy.entries()) {
    const { base } = one.facts ?? {};
    if (base == null || complete.some(({ facts }) => facts?.id === base)) continue;
    const before = plan.copy.findIndex(({ facts }) => facts?.id === base);
    const possible = [...plan.blocked, ...plan.unwanted].some(({ facts }) => facts?.id === base);
    if (before < 0 && possible) fail("its base is left out", one);
    if (before > at && !isInRing(one, plan.copy)) fail("comes before its base", one);
  }
  if (wanted === undefined) {
    if (plan.unwanted.length > 0) fail("unwanted", plan.unwanted[0]);
    return;
  }
  const names = wanted([...target, ...source], []);
  for (const one of plan.copy) {
    const needed = plan.copy.some((other) => other.facts?.base === one.facts?.id);
    if (!names.has(one.name.text) && !needed) fail("copied in vain", one);
  }
  for (const one of plan.unwanted) if (names.has(one.name.text)) fail("wanted", one);
}

function isInRing(one: StoredSnapshot, all: readonly StoredSnapshot[]): boolean {
  const reached = new Set<string | null | undefined>([one.facts?.base]);
  for (let size = 0; size !== reached.size; ) {
    size = reached.size;
    for (const { facts } of all) if (reached.has(facts?.id)) reached.add(facts?.base);
  }
  return reached.has(one.facts?.id);
}

test("after the copies of a plan, a second plan has none", (t) => {
  fc.assert(
    fc.property(stores, ([source, target]) => {
      const plan = planSync({ source, target });
      const after = afterCopy(target, plan.copy);
      const again = planSync({ source, target: after });
      t.deepEqual(again.copy, []);
      t.deepEqual(namesOf(again.conflicts).sort(), namesOf(plan.conflicts).sort());
      t.is(lackingOf(again).length, lackingOf(plan).length - plan.copy.length);
    }),
    { numRuns: 500 },
  );
});

test("a sync never brings back what the target's retention deletes", (t) => {
  const rounds = fc.array(fc.tuple(listings(9), fc.integer({ min: 1, max: 3 })), { maxLength: 6 });
  fc.assert(
    fc.property(rounds, (history) => {
      let target: StoredSnapshot[] = [];
      for (const [source, most] of history) {
        const wanted = newestChains(most);
        target = afterCopy(target, planSync({ source, target, wanted }).copy);
        const keep = wanted(target);
        const left = target.filter(({ name }) => keep.has(name.text));
        t.deepEqual(namesOf(planSync({ source, target: left, wanted }).copy), []);
        target = left;
      }
    }),
    { numRuns: 1000 },
  );
});

/** A simple retention: the newest full backups, with the incrementals that can be restored over them. */
function newestChains(most: number): (listing: readonly StoredSnapshot[]) => Set<string> {
  return (listing) => {
    const complete = listing.filter(({ state }) => state === "complete");
    const fulls = complete.filter(({ facts }) => facts?.base === null).slice(-most);
    const kept = new Set(fulls);
    for (let size = 0; size !== kept.size; ) {
      size = kept.size;
      const ids = new Set([...kept].map(({ facts }) => facts?.id));
      for (const one of complete) if (ids.has(one.facts?.base ?? undefined)) kept.add(one);
    }
    return new Set(namesOf([...kept]));
  };
}
