import test from "ava";
import { Timetable, type TimetableOptions } from "../../../src/server/jobs/timetable.js";

const OPTIONS: TimetableOptions = {
  schedules: {
    full: "0 2 * * *",
    incremental: "0 * * * *",
    verify: "0 4 * * *",
    timeZone: "UTC",
    retryMs: 60_000,
  },
  sync: {
    periodMs: 3600_000,
    retries: { maxRetries: 5, backoffMs: 1000 },
    concurrentCopies: 10,
    mirror: undefined,
  },
  retention: {
    policy: { kind: "limit-based", maxBackups: 7 },
    timeZone: "UTC",
    streamPeriodMs: 24 * 3600_000,
    periodMs: 7200_000,
  },
};
const NONE = { full: undefined, any: undefined };

/** Milliseconds from now. */
function inMs(date: Date | undefined): number {
  return date === undefined ? Number.NaN : date.getTime() - Date.now();
}

test("periodic jobs are due a period after the start, and after each run", (t) => {
  const timetable = new Timetable(new Date());
  for (const [job, period] of [
    ["sync", 3600_000],
    ["retention", 7200_000],
  ] as const) {
    t.true(Math.abs(inMs(timetable.dueAt(job, OPTIONS, NONE)) - period) < 5000);
    timetable.request(job);
    t.true(inMs(timetable.dueAt(job, OPTIONS, NONE)) <= 0);
    timetable.begun(job);
    timetable.ended(job, OPTIONS, 0);
    t.true(Math.abs(inMs(timetable.dueAt(job, OPTIONS, NONE)) - period) < 5000);
  }
});

test("what is asked for while a run is in progress is not forgotten", (t) => {
  const timetable = new Timetable(new Date());
  timetable.begun("sync");
  timetable.request("sync");
  timetable.ended("sync", OPTIONS, 0);
  t.true(inMs(timetable.dueAt("sync", OPTIONS, NONE)) <= 0);
});

test("there is no sync where it is off", (t) => {
  const timetable = new Timetable(new Date());
  t.is(timetable.dueAt("sync", { ...OPTIONS, sync: undefined }, NONE), undefined);
});

test("a failed job waits before the next try, longer after each failure", (t) => {
  const timetable = new Timetable(new Date());
  t.true(inMs(timetable.dueAt("full", OPTIONS, NONE)) <= 0);
  timetable.ended("full", OPTIONS, 1);
  const first = inMs(timetable.dueAt("full", OPTIONS, NONE));
  t.true(first > 40_000 && first <= 60_000, `${first}`);
  timetable.ended("full", OPTIONS, 2);
  const second = inMs(timetable.dueAt("full", OPTIONS, NONE));
  t.true(second > 85_000 && second <= 120_000, `${second}`);
  timetable.ended("full", OPTIONS, 0);
  t.true(inMs(timetable.dueAt("full", OPTIONS, NONE)) <= 0);
});

test("a failed sync is tried again after the wait, and not a period later", (t) => {
  const timetable = new Timetable(new Date());
  timetable.ended("sync", OPTIONS, 1);
  const wait = inMs(timetable.dueAt("sync", OPTIONS, NONE));
  t.true(wait > 40_000 && wait <= 60_000, `${wait}`);
});

test("a request does not wait for the end of a backoff: the store has come back", (t) => {
  const timetable = new Timetable(new Date());
  timetable.ended("sync", OPTIONS, 3);
  timetable.request("sync");
  t.true(inMs(timetable.dueAt("sync", OPTIONS, NONE)) <= 0);
});

test("a backup that was made counts before a listing shows it", (t) => {
  const timetable = new Timetable(new Date());
  timetable.backupMade("full");
  t.true(inMs(timetable.dueAt("full", OPTIONS, NONE)) > 0);
  t.true(inMs(timetable.dueAt("incremental", OPTIONS, NONE)) > 0);
});

test("what was read back last decides when the next part is", (t) => {
  const timetable = new Timetable(new Date(Date.now() - 48 * 3600_000));
  t.true(inMs(timetable.dueAt("verify", OPTIONS, NONE)) <= 0);
  timetable.verified(new Date());
  const next = inMs(timetable.dueAt("verify", OPTIONS, NONE));
  t.true(next > 0 && next <= 24 * 3600_000);
});
