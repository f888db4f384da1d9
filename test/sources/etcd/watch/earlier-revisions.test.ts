import test from "ava";
import fc from "fast-check";
import protobuf from "protobufjs/minimal.js";
import type { EtcdChange } from "../../../../src/sources/etcd/history.js";
import { EarlierRevisions } from "../../../../src/sources/etcd/watch/earlier-revisions.js";

function change(key: string, deleted: boolean, value: string): EtcdChange {
  const writer = new protobuf.BufferWriter().uint32((1 << 3) | 2).string(key);
  if (!deleted) writer.uint32((5 << 3) | 2).string(value);
  return { deleted, kv: writer.finish() };
}

const changes = fc.array(
  fc
    .tuple(fc.constantFrom("a", "b", "c", "d"), fc.boolean())
    .map(([key, deleted]) => ({ key, deleted })),
  { minLength: 1, maxLength: 8 },
);

function known(all: readonly { key: string; deleted: boolean }[]) {
  return all.map(({ key, deleted }, i) => ({
    ...change(key, deleted, `value ${i}`),
    // What a compaction at this revision leaves for sure.
    isKept: !deleted && !all.slice(i + 1).some((later) => later.key === key),
  }));
}

function remembering(revision: number, all: readonly EtcdChange[]): EarlierRevisions {
  const earlier = new EarlierRevisions();
  earlier.add(revision, all);
  return earlier;
}

test("what any compaction leaves of a revision is the same, and without one more put it is not", (t) => {
  fc.assert(
    fc.property(changes, fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }), (all, gone) => {
      const complete = known(all);
      const earlier = remembering(5, complete);
      const left = complete.filter(({ isKept }, i) => isKept || !gone[i]);
      t.is(earlier.compareCompacted(5, left), "same");
      const put = left.findIndex(({ isKept }) => isKept);
      if (put < 0) return;
      t.is(earlier.compareCompacted(5, left.toSpliced(put, 1)), "different");
      const other = { ...change("e", false, "other"), isKept: true };
      t.is(earlier.compareCompacted(5, [...left, other]), "different");
      t.is(earlier.compareCompacted(5, left.with(put, other)), "different");
    }),
  );
});

test("a revision compares with what is remembered, byte for byte", (t) => {
  const first = [change("a", false, "1"), change("b", true, "")];
  const earlier = remembering(7, first);
  t.is(earlier.compare(7, [change("a", false, "1"), change("b", true, "")]), "same");
  t.is(earlier.compare(7, [change("a", false, "2"), change("b", true, "")]), "different");
  t.is(earlier.compare(7, first.slice(0, 1)), "different");
  t.is(earlier.compare(7, first.toReversed()), "different");
  t.is(earlier.compare(6, first), "unknown");
  t.is(earlier.compare(8, first), "unknown");
});

test("a digest compares with a revision that is not remembered", (t) => {
  const digestOf = (all: readonly EtcdChange[]) => Buffer.of(all.length);
  const earlier = new EarlierRevisions({ revision: 9, digest: Buffer.of(2), digestOf });
  t.true(earlier.has(9));
  t.false(earlier.has(8));
  const one = change("a", false, "1");
  t.is(earlier.compare(9, [one, one]), "same");
  t.is(earlier.compare(9, [one]), "different");
  t.is(earlier.compareCompacted(9, [one]), "unknown");
});

test("the last revision is remembered whatever its size, and earlier ones as far as memory allows", (t) => {
  const earlier = new EarlierRevisions();
  const large = [change("a", false, "x".repeat(1 << 20))];
  for (let revision = 2; revision <= 20; revision++) earlier.add(revision, large);
  t.true(earlier.has(20));
  t.true(earlier.has(18));
  t.false(earlier.has(10));
  earlier.add(21, [change("b", false, "x".repeat(10 << 20))]);
  t.true(earlier.has(21));
  t.false(earlier.has(20));
  earlier.forgetAfter(20);
  t.false(earlier.has(21));
});
