import test from "ava";
import fc from "fast-check";
import { siteAlerts } from "../../../src/operations/status/site-alerts.js";
import { TIMELINE_LENGTH } from "../../../src/operations/status/site-status.js";
import { type SiteFacts, siteStatus } from "../../../src/operations/status/status.js";
import type { StoredSnapshot } from "../../../src/snapshots/catalog.js";
import { snapshotName } from "../../../src/snapshots/name.js";

const NOW = new Date("2026-11-28T12:00:00Z");
const nowSeconds = NOW.getTime() / 1000;

interface Made {
  readonly id: string;
  readonly base?: string;
  /** Seconds before now. */
  readonly ago: number;
  readonly state?: StoredSnapshot["state"];
  /** Seconds before now; that of the name by default. */
  readonly startedAgo?: number;
}

function stored({ id, base, ago, state = "complete", startedAgo = ago }: Made): StoredSnapshot {
  const kind = base === undefined ? "full" : "incremental";
  const name = snapshotName({ kind, firstRevision: 0, lastRevision: 0, time: nowSeconds - ago });
  if (state === "unfinished") return { name, state, left: { files: 1, bytes: 5, modified: NOW } };
  const startedAt = new Date((nowSeconds - startedAgo) * 1000).toISOString();
  const times = { startedAt, finishedAt: startedAt };
  return {
    name,
    state,
    facts: { id, kind, base: base ?? null, ...times, files: 4, bytes: 100, digest: "0".repeat(64) },
  };
}

function statusOf(made: readonly Made[], more: Partial<SiteFacts> = {}) {
  return siteStatus({
    store: "s3://bucket",
    breaker: "closed",
    listed: made.map(stored),
    checkedAt: NOW,
    holds: new Set(),
    now: NOW,
    ...more,
  });
}

const nameOf = (made: Made): string => stored(made).name.text;

test("the newest restorable snapshot is complete, and so are all of its bases", (t) => {
  const made: Made[] = [
    { id: "a", ago: 5000 },
    { id: "b", base: "a", ago: 4000 },
    { id: "c", base: "b", ago: 3000, state: "damaged" },
    { id: "d", base: "c", ago: 2000 },
    { id: "e", base: "gone", ago: 1000 },
    { id: "f", ago: 500, state: "unfinished" },
  ];
  const status = statusOf(made);
  t.deepEqual(status.newestRestorable, {
    snapshot: nameOf({ id: "b", base: "a", ago: 4000 }),
    time: "2026-11-28T10:53:20.000Z",
    ageSeconds: 4000,
  });
  t.is(status.newestFull, nameOf({ id: "a", ago: 5000 }));
  t.deepEqual(status.snapshots, { complete: 4, unfinished: 1, damaged: 1, held: 0 });
  t.is(status.bytes, 505);
  t.deepEqual(
    status.timeline.map(({ base }) => base),
    [
      undefined,
      "missing",
      nameOf({ id: "c", base: "b", ago: 3000 }),
      nameOf({ id: "b", base: "a", ago: 4000 }),
      nameOf({ id: "a", ago: 5000 }),
      undefined,
    ],
  );
});

test("a snapshot is restorable if a search for its bases ends with a full backup", (t) => {
  const backup = fc.record({
    id: fc.integer({ min: 0, max: 11 }),
    base: fc.option(fc.integer({ min: 0, max: 13 })),
    complete: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.uniqueArray(backup, { selector: ({ id }) => id, maxLength: 12 }), (backups) => {
      const find = (id: number) => backups.find((one) => one.id === id && one.complete);
      // More steps than there are backups is a cycle.
      const restorable = (id: number, steps = 0): boolean => {
        const found = find(id);
        if (found === undefined || steps > backups.length) return false;
        return found.base === null || restorable(found.base, steps + 1);
      };
      const made = backups.map(
        ({ id, base, complete }, i): Made => ({
          id: `${id}`,
          ...(base !== null && { base: `${base}` }),
          ago: 1000 - i,
          state: complete ? "complete" : "damaged",
        }),
      );
      const newest = made.findLast(({ id }) => restorable(Number(id)));
      t.is(statusOf(made).newestRestorable?.snapshot, newest && nameOf(newest));
    }),
  );
});

test("a backup under two names is restorable under both, and a base by either", (t) => {
  const twice: Made[] = [
    { id: "a", ago: 30 },
    { id: "a", ago: 20 },
    { id: "b", base: "a", ago: 10 },
  ];
  t.is(statusOf(twice).newestRestorable?.ageSeconds, 10);
  t.is(statusOf(twice.slice(0, 2)).newestRestorable?.ageSeconds, 20);
  const damaged = statusOf(
    twice.map((one): Made => ({ ...one, ...(one.ago === 20 && { state: "damaged" }) })),
  );
  t.is(damaged.newestRestorable?.ageSeconds, 10);
  t.is(damaged.timeline[0]?.base, nameOf({ id: "a", ago: 30 }));
});

test("a time in the future hides no age", (t) => {
  const year = 365 * 86_400;
  // Made while the clock was a year ahead, and the next ones with names later than that.
  const ahead: Made = { id: "b", ago: -year };
  const after: Made = { id: "c", base: "b", ago: -year - 1, startedAgo: 600 };
  t.is(statusOf([{ id: "a", ago: 7200 }, ahead]).newestRestorable?.ageSeconds, 7200);
  t.is(statusOf([{ id: "a", ago: 7200 }, ahead]).newestRestorable?.snapshot, nameOf(ahead));
  t.is(statusOf([{ id: "a", ago: 7200 }, ahead, after]).newestRestorable?.ageSeconds, 600);
  t.is(
    statusOf([
      { id: "a", ago: 7200 },
      { id: "d", ago: -60 },
    ]).newestRestorable?.ageSeconds,
    0,
  );
});

test("a hold keeps the bases too", (t) => {
  const made: Made[] = [
    { id: "a", ago: 50 },
    { id: "b", base: "a", ago: 40 },
    { id: "c", base: "b", ago: 30 },
    { id: "d", ago: 20 },
  ];
  const status = statusOf(made, {
    holds: new Set([nameOf({ id: "b", base: "a", ago: 40 }), "gone"]),
  });
  t.deepEqual(
    status.timeline.map(({ held }) => held),
    [false, false, true, true],
  );
  t.is(status.snapshots.held, 2);
});

test("the timeline has the newest snapshots, and the counts are of all", (t) => {
  const made = Array.from(
    { length: 10_000 },
    (_, i): Made => ({
      id: `${i}`,
      ...(i % 24 !== 0 && { base: `${i - 1}` }),
      ago: 3600 * (10_000 - i),
    }),
  );
  const status = statusOf(made.toReversed());
  t.is(status.timeline.length, TIMELINE_LENGTH);
  t.is(status.timeline[0]?.time, "2026-11-28T11:00:00.000Z");
  t.is(status.snapshots.complete, 10_000);
  t.is(status.newestRestorable?.ageSeconds, 3600);
});

test("a store is reachable after a listing, until one fails", (t) => {
  t.true(statusOf([]).reachable);
  t.false(statusOf([], { error: "no route" }).reachable);
  t.false(statusOf([], { checkedAt: undefined }).reachable);
});

test("an alert names what is wrong, and begins when the limit was passed", (t) => {
  const limits = { maxAgeMs: 3600_000, now: NOW };
  const alerts = (made: readonly Made[], more: Partial<SiteFacts> = {}) =>
    siteAlerts("secondary", statusOf(made, more), limits);
  t.deepEqual(alerts([{ id: "a", ago: 3600 }]), []);
  t.deepEqual(alerts([{ id: "a", ago: 3 * 3600 }]), [
    {
      key: "backup-too-old/secondary",
      name: "backup-too-old",
      site: "secondary",
      message: `the newest restorable backup in s3://bucket is 3 hours old: ${nameOf({ id: "a", ago: 10_800 })}`,
      since: "2026-11-28T10:00:00.000Z",
    },
  ]);
  t.deepEqual(
    alerts([{ id: "a", ago: 60 }], { breaker: "open", error: "connection refused" }).map(
      ({ message }) => message,
    ),
    ["s3://bucket is not used for now, after failures: connection refused"],
  );
  t.deepEqual(
    alerts([{ id: "a", ago: 60 }], { verification: { damagedFiles: 2 } }).map(
      ({ name, message }) => [name, message],
    ),
    [["verification-failed", "s3://bucket has 2 damaged files"]],
  );
  t.deepEqual(
    alerts([
      { id: "a", ago: 60 },
      { id: "b", ago: 50, state: "damaged" },
    ]).map(({ name }) => name),
    ["verification-failed"],
  );
});

test("a store without a restorable backup is an alert, after the time that a first one has", (t) => {
  const names = (
    made: readonly Made[],
    limits: { maxAgeMs?: number; emptySince?: Date },
    more: Partial<SiteFacts> = {},
  ) => siteAlerts("primary", statusOf(made, more), { ...limits, now: NOW }).map(({ name }) => name);
  const hourAgo = new Date(NOW.getTime() - 3600_000);
  t.deepEqual(names([], {}), ["backup-too-old"]);
  t.deepEqual(names([], { emptySince: hourAgo }), []);
  t.deepEqual(names([], { emptySince: hourAgo, maxAgeMs: 3600_000 }), []);
  t.deepEqual(names([], { emptySince: hourAgo, maxAgeMs: 3599_000 }), ["backup-too-old"]);
  t.deepEqual(names([{ id: "a", base: "gone", ago: 5 }], { emptySince: hourAgo }), [
    "backup-too-old",
  ]);
  t.deepEqual(names([], {}, { checkedAt: undefined }), []);
});
