import test from "ava";
import fc from "fast-check";
import { backupDueAt, newestBackups, retryDelay } from "../../../src/server/jobs/due.js";
import type { StoredSnapshot } from "../../../src/snapshots/catalog.js";
import { snapshotName } from "../../../src/snapshots/name.js";

const SCHEDULES = { full: "0 2 * * *", incremental: "0 * * * *", timeZone: "UTC" };
const at = (text: string): Date => new Date(`2026-11-28T${text}Z`);
const none = { full: undefined, any: undefined };

test("the first full backup is due at once, and no incremental before it", (t) => {
  const now = at("14:30:00");
  t.deepEqual(backupDueAt("full", SCHEDULES, none, now), now);
  t.is(backupDueAt("incremental", SCHEDULES, none, now), undefined);
});

test("a server without a full schedule makes the first full backup all the same", (t) => {
  const now = at("14:30:00");
  t.deepEqual(backupDueAt("full", { ...SCHEDULES, full: undefined }, none, now), now);
  t.is(
    backupDueAt("full", { ...SCHEDULES, full: undefined, incremental: undefined }, none, now),
    undefined,
  );
});

test("each kind is due at the next time of its schedule after the newest backup", (t) => {
  const newest = { full: at("02:00:01"), any: at("14:00:02") };
  const now = at("14:30:00");
  t.deepEqual(backupDueAt("full", SCHEDULES, newest, now), new Date("2026-11-29T02:00:00Z"));
  t.deepEqual(backupDueAt("incremental", SCHEDULES, newest, now), at("15:00:00"));
});

test("runs that were missed are made up once", (t) => {
  const now = at("14:30:00");
  const missed = backupDueAt(
    "incremental",
    SCHEDULES,
    { full: at("02:00:01"), any: at("09:00:02") },
    now,
  );
  t.deepEqual(missed, at("10:00:00"));
  // The run that makes it up counts for all.
  const after = backupDueAt("incremental", SCHEDULES, { full: at("02:00:01"), any: now }, now);
  t.deepEqual(after, at("15:00:00"));
});

test("a full backup makes the incremental of the same time unnecessary", (t) => {
  const newest = { full: at("02:00:05"), any: at("02:00:05") };
  t.deepEqual(backupDueAt("incremental", SCHEDULES, newest, at("02:01:00")), at("03:00:00"));
});

test("a clock that was set back does not stop the schedule", (t) => {
  const now = at("14:30:00");
  const ahead = { full: new Date("2027-01-01T00:00:00Z"), any: new Date("2027-01-01T00:00:00Z") };
  t.deepEqual(backupDueAt("incremental", SCHEDULES, ahead, now), at("15:00:00"));
});

test("a schedule follows its time zone over the change to summer time", (t) => {
  const schedules = { ...SCHEDULES, timeZone: "Europe/Berlin" };
  const newest = { full: new Date("2026-03-28T01:00:05Z"), any: new Date("2026-03-28T01:00:05Z") };
  const now = new Date("2026-03-28T12:00:00Z");
  // 02:00 does not exist on that day: the clock goes from 02:00 to 03:00.
  const due = backupDueAt("full", schedules, newest, now);
  t.deepEqual(due, new Date("2026-03-29T01:00:00Z"));
});

test("for any clock and any newest backup, the next run is within one period", (t) => {
  fc.assert(
    fc.property(
      fc.date({ min: new Date(0), max: new Date("2100-01-01"), noInvalidDate: true }),
      fc.date({ min: new Date(0), max: new Date("2100-01-01"), noInvalidDate: true }),
      (newest, now) => {
        const due = backupDueAt("incremental", SCHEDULES, { full: newest, any: newest }, now);
        return due !== undefined && due.getTime() - now.getTime() <= 3600_000;
      },
    ),
    { numRuns: 300 },
  );
  t.pass();
});

test("waits after failures double up to fifteen minutes, and are never under three quarters", (t) => {
  const most = [1, 2, 3, 4, 5, 6, 7].map((failures) => retryDelay(30_000, failures, () => 1));
  t.deepEqual(most, [30_000, 60_000, 120_000, 240_000, 480_000, 900_000, 900_000]);
  t.is(
    retryDelay(30_000, 1, () => 0),
    22_500,
  );
  t.is(
    retryDelay(3600_000, 5, () => 1),
    3600_000,
  );
});

/** A complete full backup that was started at `now`, under a name that is later than `after`. */
function madeAt(now: Date, after: number): StoredSnapshot {
  const time = Math.max(Math.floor(now.getTime() / 1000), after + 1);
  const name = snapshotName({ kind: "full", firstRevision: 0, lastRevision: 0, time });
  const startedAt = now.toISOString();
  const times = { startedAt, finishedAt: startedAt, digest: "" };
  return {
    name,
    state: "complete",
    facts: { id: `${time}`, kind: "full", base: null, ...times, files: 4, bytes: 100 },
  };
}

/** Minutes between two looks at what is due. */
const STEP = 10;

test("backups go on, an hour apart, when the clock is set forward and back", (t) => {
  const schedules = { ...SCHEDULES, full: undefined };
  const jump = fc.record({
    after: fc.integer({ min: 1, max: 300 }),
    days: fc.integer({ min: -400, max: 400 }),
  });
  fc.assert(
    fc.property(fc.array(jump, { maxLength: 4 }), (jumps) => {
      const stored = [madeAt(at("00:00:00"), 0)];
      let clock = at("00:00:00").getTime();
      let sinceLast = 0;
      for (const { after, days } of [...jumps, { after: 200, days: 0 }]) {
        for (let minute = 0; minute < after; minute += STEP) {
          clock += STEP * 60_000;
          sinceLast += STEP;
          const now = new Date(clock);
          const due = backupDueAt("incremental", schedules, newestBackups(stored, now), now);
          // A first backup is a full one.
          const first = backupDueAt("full", schedules, newestBackups(stored, now), now);
          if ((due ?? first ?? now) > now) continue;
          stored.push(madeAt(now, stored.at(-1)?.name.time ?? 0));
          t.true(sinceLast <= 60 + STEP, `${sinceLast} minutes without a backup`);
          sinceLast = 0;
        }
        t.true(sinceLast <= 60 + STEP, `${sinceLast} minutes without a backup`);
        clock += days * 86_400_000;
      }
      // No more backups than hours and jumps.
      const minutes = jumps.reduce((sum, { after }) => sum + after, 200);
      t.true(stored.length <= minutes / 60 + 2 * jumps.length + 2, `${stored.length}`);
    }),
    { numRuns: 20 },
  );
});
