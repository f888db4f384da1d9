import test from "ava";
import fc from "fast-check";
import { type RevisionRange, RevisionRanges } from "../../../src/server/deltas/revision-ranges.js";
import { SiteLog } from "../../../src/server/deltas/site-log.js";

const MOST = 40;
const rangeOf = fc
  .tuple(fc.integer({ min: 1, max: MOST }), fc.integer({ min: 0, max: 8 }))
  .map(([first, more]): RevisionRange => ({ first, last: first + more }));

function revisionsOf(ranges: Iterable<RevisionRange>): Set<number> {
  const all = new Set<number>();
  for (const { first, last } of ranges) for (let r = first; r <= last; r++) all.add(r);
  return all;
}

test("ranges hold what was added, merged, in order", (t) => {
  fc.assert(
    fc.property(fc.array(rangeOf, { maxLength: 20 }), (added) => {
      const ranges = new RevisionRanges(added);
      const expected = revisionsOf(added);
      t.deepEqual(
        [...revisionsOf(ranges)],
        [...expected].sort((a, b) => a - b),
      );
      let before = -1;
      for (const { first, last } of ranges) {
        // At least one revision is missing between two.
        t.true(first > before + 1 && last >= first);
        before = last;
      }
      for (let revision = 0; revision <= MOST + 10; revision++) {
        let end = revision;
        while (expected.has(end + 1)) end++;
        t.is(ranges.endAfter(revision), end);
      }
    }),
  );
});

/** The newest revision of which each one from a base on is there, by definition. */
function newestRestorable(ranges: readonly RevisionRange[], bases: readonly number[]) {
  const held = revisionsOf(ranges);
  const found = bases.flatMap((base) => {
    let end = base;
    while (held.has(end + 1)) end++;
    return [end];
  });
  return found.length === 0 ? undefined : Math.max(...found);
}

test("durable is the end of the deltas that follow a base without a gap, in whatever order puts return", (t) => {
  fc.assert(
    fc.property(
      fc.array(rangeOf, { maxLength: 15 }),
      fc.array(fc.integer({ min: 0, max: MOST }), { maxLength: 3 }),
      fc.func(fc.boolean()),
      (ranges, bases, basesFirst) => {
        const log = new SiteLog();
        if (basesFirst()) for (const base of bases) log.addBase(base);
        for (const range of ranges) log.addDelta(range);
        for (const base of bases) log.addBase(base);
        t.is(log.durable, newestRestorable(ranges, bases));
      },
    ),
  );
});

test("nothing across a hole is durable until there is a base after it", (t) => {
  const log = new SiteLog();
  log.addDelta({ first: 11, last: 20 });
  t.is(log.durable, undefined);
  log.addBase(10);
  t.is(log.durable, 20);
  log.addDelta({ first: 22, last: 30 });
  t.is(log.durable, 20);
  log.addBase(25);
  t.is(log.durable, 30);
});

test("what a listing does not show ends to be durable, unless it was put since the listing before began", (t) => {
  const log = new SiteLog();
  log.addBase(10);
  log.addDelta({ first: 11, last: 20 });
  log.listingBegun();
  log.addDelta({ first: 21, last: 30 });
  // Nothing of this term is in the listing: it is late.
  log.listed({ ranges: [], bases: [] });
  t.is(log.durable, 30);
  log.listingBegun();
  // The listing fails, and so nothing is known.
  t.is(log.durable, 30);
  log.listingBegun();
  log.listed({ ranges: [{ first: 11, last: 20 }], bases: [10] });
  t.is(log.durable, 30);
  log.listingBegun();
  log.listed({ ranges: [{ first: 11, last: 20 }], bases: [10] });
  t.is(log.durable, 20);
  log.listingBegun();
  log.listed({ ranges: [{ first: 11, last: 20 }], bases: [] });
  t.is(log.durable, undefined);
});
