import test from "ava";
import fc from "fast-check";
import {
  compareSnapshotNames,
  firstRevisionOver,
  parseSnapshotName,
  snapshotKey,
  snapshotName,
} from "../../src/snapshots/name.js";

const names = fc
  .record({
    kind: fc.constantFrom("full" as const, "incremental" as const),
    firstRevision: fc.maxSafeNat(),
    lastRevision: fc.maxSafeNat(),
    time: fc.nat(999_999_999_999),
  })
  .map(snapshotName);

test("parsing a name restores its facts", (t) => {
  fc.assert(fc.property(names, (name) => t.deepEqual(parseSnapshotName(name.text), name)));
  t.is(
    snapshotName({ kind: "full", firstRevision: 0, lastRevision: 9002, time: 1565021494 }).text,
    "Full-00000000-00009002-1565021494",
  );
  const name = parseSnapshotName("Incr-00009003-123456789012-1565021541");
  t.is(name?.lastRevision, 123456789012);
});

test("names that differ from the canonical form are rejected", (t) => {
  for (const text of [
    "",
    "Full-0-9002-1565021494",
    "Full-00000000-00009002-1565021494/",
    "Full-00000000-00009002-01565021494",
    "Full-000000000-00009002-1565021494",
    "Full-00000000-00009002-1565021494.gz",
    "full-00000000-00009002-1565021494",
    "Backup-1565021494",
    "Full-00000000-99999999999999999-1565021494",
    "Full-00000000-9999999999999999-1565021494",
    "Full--0000001-00009002-1565021494",
  ]) {
    t.is(parseSnapshotName(text), undefined, text);
  }
});

test("names sort by time, then a base before its incrementals, and no two are equal", (t) => {
  fc.assert(
    fc.property(names, names, (a, b) => {
      const order = compareSnapshotNames(a, b);
      t.is(Math.sign(order), -Math.sign(compareSnapshotNames(b, a)) + 0);
      t.is(order === 0, a.text === b.text);
      if (a.time < b.time) t.true(order < 0);
    }),
  );
  const texts = [
    "Full-00000000-00000009-1000000000",
    "Full-00000000-00000000-999999999",
    "Incr-00000010-00000012-1000000000",
  ];
  const sorted = texts.flatMap((text) => parseSnapshotName(text) ?? []).sort(compareSnapshotNames);
  t.deepEqual(
    sorted.map(({ text }) => text),
    [1, 0, 2].map((i) => texts[i] ?? ""),
  );
});

test("the key of a snapshot has its directory and its revisions", (t) => {
  const name = snapshotName({ kind: "incremental", firstRevision: 8, lastRevision: 9, time: 5 });
  t.is(snapshotKey("a/b", name), "a/b/Incr-00000008-00000009-5:8-9");
  t.is(snapshotKey("", name), "Incr-00000008-00000009-5:8-9");
});

test("an incremental begins after its base's last revision, and at 0 without etcd", (t) => {
  t.is(firstRevisionOver(9002), 9003);
  t.is(firstRevisionOver(0), 0);
});
