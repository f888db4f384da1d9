import test from "ava";
import fc from "fast-check";
import { dependentsFirst } from "../../src/snapshots/dependents-first.js";
import type { Candidate } from "../../src/snapshots/retention/candidate.js";
import { candidate } from "../support/stores/retention-candidates.js";

const ids = (list: readonly Candidate[]): (string | undefined)[] => list.map((o) => o.facts?.id);

test("the newest chain comes first, and in it the incrementals before their bases", (t) => {
  const old = candidate("full", 100, "old", null);
  const over = candidate("incremental", 101, "over", "old");
  const next = candidate("full", 200, "next", null);
  const one = candidate("incremental", 201, "one", "next");
  const two = candidate("incremental", 202, "two", "one");
  t.deepEqual(ids(dependentsFirst([old, over, next, one, two])), [
    "two",
    "one",
    "next",
    "over",
    "old",
  ]);
});

test("a base with a later name than its incremental still comes after it", (t) => {
  const base = candidate("full", 900, "base", null);
  const over = candidate("incremental", 100, "over", "base");
  t.deepEqual(ids(dependentsFirst([over, base])), ["over", "base"]);
});

test("in any order of names each snapshot is there once, and after all that are based on it", (t) => {
  const snapshot = fc.record({
    time: fc.nat(50),
    // May be a cycle, may be missing, and may be the same as that of another name.
    id: fc.nat(20),
    base: fc.option(fc.nat(20)),
    readable: fc.integer({ min: 0, max: 4 }).map((n) => n > 0),
  });
  fc.assert(
    fc.property(fc.array(snapshot, { maxLength: 15 }), (list) => {
      const all = list.map(({ time, id, base, readable }) => {
        const kind = base === null ? "full" : "incremental";
        const more = readable ? {} : { facts: undefined };
        return candidate(kind, time, `${id}`, base === null ? null : `${base}`, more);
      });
      const ordered = dependentsFirst(all);
      t.is(new Set(ordered).size, all.length);
      t.true(all.every((one) => ordered.includes(one)));
      if (all.some(({ facts }) => facts !== undefined && isBelow(all, facts.id, facts.id))) return;
      for (const [at, one] of ordered.entries()) {
        for (const later of ordered.slice(at + 1)) {
          const isBaseFirst = later.facts !== undefined && later.facts.base === one.facts?.id;
          t.false(isBaseFirst, `${one.name.text} is the base of ${later.name.text}`);
        }
      }
    }),
    { numRuns: 500 },
  );
});

/** Whether the bases below a backup lead to another one. */
function isBelow(all: readonly Candidate[], from: string, to: string): boolean {
  const below = new Set<string>();
  const addBases = (id: string): void => {
    for (const { facts } of all) if (facts?.id === id && facts.base !== null) below.add(facts.base);
  };
  addBases(from);
  for (const id of below) addBases(id);
  return below.has(to);
}
