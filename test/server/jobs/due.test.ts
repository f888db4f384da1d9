import test from "ava";
import fc from "fast-check";
import { backupDueAt, retryDelay } from "../../../src/server/jobs/due.js";

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
