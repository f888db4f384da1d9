import test from "ava";
import fc from "fast-check";
import {
  beforeBy,
  formatCalendarSpan,
  parseCalendarSpan,
} from "../../../src/snapshots/retention/calendar-span.js";
import { Calendar, type PeriodName } from "../../../src/snapshots/retention/calendar.js";
import { seconds } from "../../support/stores/retention-candidates.js";

const utc = new Calendar("UTC");
const labels = (calendar: Calendar, time: string): string[] =>
  Object.values(calendar.periodsOf(seconds(time))).map(({ label }) => label);

test("periods have labels of the time zone", (t) => {
  t.deepEqual(labels(utc, "2026-11-28T13:59:59Z"), [
    "2026-11-28 13h",
    "2026-11-28",
    "2026-W48",
    "2026-11",
    "2026",
  ]);
  t.deepEqual(labels(new Calendar("Asia/Kolkata"), "2026-12-31T18:30:00Z"), [
    "2027-01-01 00h",
    "2027-01-01",
    "2026-W53",
    "2027-01",
    "2027",
  ]);
});

test("a week begins on Monday, and the first of a year has its first Thursday", (t) => {
  // Table of ISO 8601 weeks at the turn of years.
  for (const [day, week] of [
    ["2021-01-03", "2020-W53"],
    ["2021-01-04", "2021-W01"],
    ["2024-12-29", "2024-W52"],
    ["2024-12-30", "2025-W01"],
    ["2027-01-03", "2026-W53"],
    ["2027-01-04", "2027-W01"],
    ["1970-01-01", "1970-W01"],
  ] as const) {
    t.is(utc.periodsOf(seconds(`${day}T00:00:00Z`)).weekly.label, week);
  }
});

test("the hour that comes twice in autumn is two hours, and the day is one", (t) => {
  const berlin = new Calendar("Europe/Berlin");
  const [first, second] = ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"].map((time) =>
    berlin.periodsOf(seconds(time)),
  );
  t.is(first?.hourly.label, "2026-10-25 02h");
  t.is(second?.hourly.label, "2026-10-25 02h");
  t.is((second?.hourly.number ?? 0) - (first?.hourly.number ?? 0), 3600);
  t.deepEqual(first?.daily, second?.daily);
});

const ZONES = ["UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu"];

test("two times are in one period exactly when their labels agree, and later periods have larger numbers", (t) => {
  const NAMES: readonly PeriodName[] = ["daily", "weekly", "monthly", "yearly"];
  fc.assert(
    fc.property(
      fc.constantFrom(...ZONES),
      fc.integer({ min: 0, max: 4e9 }),
      fc.integer({ min: 0, max: 4e6 }),
      (zone, time, later) => {
        const calendar = new Calendar(zone);
        const [one, other] = [calendar.periodsOf(time), calendar.periodsOf(time + later)];
        for (const name of NAMES) {
          t.true(one[name].number <= other[name].number);
          t.is(one[name].number === other[name].number, one[name].label === other[name].label);
        }
        t.true(one.hourly.number <= time && time < one.hourly.number + 3600);
      },
    ),
    { numRuns: 300 },
  );
});

test("a span has the units of restic, of which m is months", (t) => {
  t.deepEqual(parseCalendarSpan("2y5m7d3h"), { years: 2, months: 5, days: 7, hours: 3 });
  t.deepEqual(parseCalendarSpan("6m"), { years: 0, months: 6, days: 0, hours: 0 });
  for (const text of ["", "6", "6w", "3h2d", "-1d", "1.5d", "1y ", "2y2y"]) {
    t.is(parseCalendarSpan(text), undefined, text);
  }
  const number = fc.integer({ min: 0, max: 9999 });
  fc.assert(
    fc.property(fc.record({ years: number, months: number, days: number, hours: number }), (span) =>
      t.deepEqual(parseCalendarSpan(formatCalendarSpan(span)), span),
    ),
  );
});

test("a span before a time follows the calendar", (t) => {
  const before = (time: string, span: string): string => {
    const parsed = parseCalendarSpan(span);
    t.truthy(parsed);
    return parsed === undefined
      ? ""
      : new Date(beforeBy(seconds(time), parsed) * 1000).toISOString();
  };
  t.is(before("2026-11-28T13:10:05Z", "1y"), "2025-11-28T13:10:05.000Z");
  t.is(before("2026-03-15T02:00:00Z", "1m15d3h"), "2026-01-30T23:00:00.000Z");
  // As Go normalizes 31 February.
  t.is(before("2026-03-31T02:00:00Z", "1m"), "2026-03-03T02:00:00.000Z");
  t.is(before("2024-02-29T02:00:00Z", "1y"), "2023-03-01T02:00:00.000Z");
});
