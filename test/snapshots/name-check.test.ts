import test from "ava";
import fc from "fast-check";
import { type Metadata, NO_COUNTS } from "../../src/archive/metadata.js";
import { kindMismatch, checkBackupName, timeMismatch } from "../../src/snapshots/name-check.js";
import { type SnapshotName, snapshotName } from "../../src/snapshots/name.js";

const WHERE = "file:///store/name";

/** Facts of a backup that was started at `startedAt`, seconds since 1970; `revision` 0 is without etcd. */
function facts(made: {
  readonly name: SnapshotName;
  readonly revision: number;
  readonly startedAt: number;
  readonly sealed: boolean;
}): Metadata {
  const { name, revision, sealed } = made;
  const time = new Date(made.startedAt * 1000).toISOString();
  return {
    format: 1,
    id: "0".repeat(32),
    kind: name.kind,
    toolVersion: "test",
    base: name.kind === "full" ? null : "1".repeat(32),
    startedAt: time,
    finishedAt: time,
    chunkBytes: 1,
    plainBytes: 1,
    files: [],
    ...(sealed ? { snapshot: name.text } : {}),
    ceph: null,
    etcd: revision === 0 ? null : { clusterId: "", revision, firstBatch: 0, restarts: 0 },
    counts: NO_COUNTS,
  };
}

/** A name as `create` gives it, and the backup that is made under it. */
const made = fc
  .record({
    kind: fc.constantFrom("full" as const, "incremental" as const),
    last: fc.nat(1e9),
    back: fc.nat(1e6),
    readLater: fc.nat(1000),
    clock: fc.integer({ min: 1, max: 4e9 }),
    ahead: fc.oneof(fc.constant(0), fc.nat(4e8)),
    listing: fc.nat(600),
    sealed: fc.boolean(),
  })
  .map(({ kind, last, back, readLater, clock, ahead, listing, sealed }) => {
    const firstRevision = kind === "full" ? 0 : Math.max(0, last - back);
    const name = snapshotName({ kind, firstRevision, lastRevision: last, time: clock + ahead });
    const revision = last === 0 ? 0 : last + readLater;
    return { name, revision, startedAt: clock + listing, sealed };
  });

test("each backup of create belongs to its name, even if the name is ahead of the clock", (t) => {
  fc.assert(
    fc.property(made, (one) => {
      const metadata = facts(one);
      t.notThrows(() => checkBackupName(one.name, metadata, WHERE));
      t.is(kindMismatch(one.name, metadata) ?? timeMismatch(one.name, metadata), undefined);
    }),
  );
});

test("a backup with a name in its metadata is rejected under every other name", (t) => {
  fc.assert(
    fc.property(made, made, (one, other) => {
      fc.pre(one.name.text !== other.name.text);
      const error = t.throws(
        () => checkBackupName(other.name, facts({ ...one, sealed: true }), WHERE),
        { code: "DOES_NOT_BELONG" },
      );
      t.true(error.message.includes(WHERE) && error.message.includes(one.name.text));
    }),
  );
});

test("a backup without a name in its metadata is rejected if kind, revision or time differ", (t) => {
  const clock = 1_800_000_000;
  const full = { kind: "full", firstRevision: 0, lastRevision: 9, time: clock } as const;
  const own = { name: snapshotName(full), revision: 10, startedAt: clock + 1, sealed: false };
  const metadata = facts(own);
  const under = (other: Partial<Omit<SnapshotName, "text">>) =>
    checkBackupName(snapshotName({ ...full, ...other }), metadata, WHERE);
  t.is(under({}), undefined);
  for (const other of [
    { kind: "incremental" as const },
    { lastRevision: 11 },
    { lastRevision: 0 },
    { firstRevision: 5 },
    { time: clock - 3601 },
  ]) {
    t.throws(() => under(other), { code: "DOES_NOT_BELONG" }, JSON.stringify(other));
  }
  t.regex(under({ time: clock + 86_400 }) ?? "", /before the time in its name/);
  const withoutEtcd = facts({ ...own, revision: 0 });
  t.throws(() => checkBackupName(own.name, withoutEtcd, WHERE), { code: "DOES_NOT_BELONG" });
});
