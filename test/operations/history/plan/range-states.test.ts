import test from "ava";
import fc from "fast-check";
import {
  type RangeFacts,
  rangeStates,
} from "../../../../src/operations/history/plan/range-states.js";

const range = fc
  .tuple(fc.integer({ min: 1, max: 40 }), fc.nat(10))
  .map(([first, length]) => ({ first, last: first + length }));
const ranges = fc.array(range, { maxLength: 5 });
const facts: fc.Arbitrary<RangeFacts> = fc.record({
  all: range,
  sites: fc.array(ranges, { minLength: 1, maxLength: 2 }),
  inBases: ranges,
  proven: ranges,
});

test("each revision has the state that its own facts ask for", (t) => {
  fc.assert(
    fc.property(facts, (given) => {
      const { all, sites, inBases, proven } = given;
      const judged = rangeStates(given);
      const within = (list: typeof inBases, revision: number) =>
        list.some(({ first, last }) => first <= revision && revision <= last);
      for (let revision = all.first; revision <= all.last; revision++) {
        const found = judged.filter(({ first, last }) => first <= revision && revision <= last);
        t.is(found.length, 1);
        const at = sites.filter((list) => within(list, revision)).length;
        const expected =
          at === 0
            ? within(inBases, revision)
              ? "present"
              : "lost"
            : at < sites.length
              ? "delayed"
              : within(proven, revision)
                ? "proven"
                : "present";
        t.is(found[0]?.state, expected, `revision ${revision}`);
      }
    }),
  );
  t.pass();
});

test("neighbours have different states, and nothing outside is judged", (t) => {
  fc.assert(
    fc.property(facts, (given) => {
      const judged = rangeStates(given);
      t.is(judged[0]?.first, given.all.first);
      t.is(judged.at(-1)?.last, given.all.last);
      for (const [i, one] of judged.entries()) {
        const next = judged[i + 1];
        if (next === undefined) continue;
        t.is(next.first, one.last + 1);
        t.not(next.state, one.state);
      }
    }),
  );
  t.pass();
});
