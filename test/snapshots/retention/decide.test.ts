import test from "ava";
import type { Candidate } from "../../../src/snapshots/retention/candidate.js";
import { decide } from "../../../src/snapshots/retention/decide.js";
import type { KeepPolicy, RetentionPolicy } from "../../../src/snapshots/retention/policy.js";
import type { ReasonCode } from "../../../src/snapshots/retention/reason.js";
import { full, incremental } from "../../support/stores/retention-candidates.js";

const NOW = "2026-11-28T13:30:00Z";
const NOTHING = { last: 0, hourly: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0 };
const NEWEST: RetentionPolicy = { kind: "limit-based", maxBackups: 1 };
const EXPONENTIAL: RetentionPolicy = { kind: "exponential", incrementalsMs: 0 };
const keepOf = (rules: Partial<KeepPolicy>): RetentionPolicy => ({
  kind: "keep",
  ...NOTHING,
  ...rules,
});

/** The kept ones as `kind time`, oldest first. */
function kept(
  candidates: readonly Candidate[],
  policy: RetentionPolicy,
  { now = NOW, zone = "UTC" } = {},
): string[] {
  return decide(candidates, policy, new Date(now), zone)
    .filter(({ keep }) => keep)
    .map(({ snapshot }) => timeOf(snapshot));
}

function timeOf({ name }: Candidate): string {
  const time = new Date(name.time * 1000).toISOString().slice(0, 16);
  return name.kind === "full" ? time : `+${time}`;
}

function codesOf(one: Candidate, all: readonly Candidate[], policy = NEWEST): ReasonCode[] {
  const decision = decide(all, policy, new Date(NOW), "UTC").find((it) => it.snapshot === one);
  return decision?.reasons.map(({ code }) => code) ?? [];
}

function everyHour(from: string, to: string, hours = 1): Candidate[] {
  const times: Candidate[] = [];
  for (let at = Date.parse(from); at <= Date.parse(to); at += hours * 3600_000) {
    times.push(full(new Date(at).toISOString()));
  }
  return times;
}

test("Exponential keeps each hour of a day, each day of a week and each week of a month", (t) => {
  const found = kept(everyHour("2026-10-01T00:00:00Z", "2026-11-28T13:00:00Z"), EXPONENTIAL);
  // Saturday, 28 November: four weeks before its own end on Sundays.
  const weeks = ["2026-11-01T23:00", "2026-11-08T23:00", "2026-11-15T23:00"];
  const days = ["21", "22", "23", "24", "25", "26"].map((day) => `2026-11-${day}T23:00`);
  const hours = everyHour("2026-11-27T13:00:00Z", "2026-11-28T13:00:00Z").map(timeOf);
  t.deepEqual(found, [...weeks, ...days, ...hours]);
});

test("Exponential keeps all full backups of the last hour, and the last of the hours before", (t) => {
  const times = ["11:05", "11:55", "12:05", "12:25", "12:35", "12:55", "13:05", "13:25"];
  const all = times.map((time) => full(`2026-11-28T${time}:00Z`));
  t.deepEqual(
    kept(all, EXPONENTIAL).map((time) => time.slice(11)),
    ["11:55", "12:25", "12:35", "12:55", "13:05", "13:25"],
  );
});

test("Exponential deletes no more while no backup is made", (t) => {
  const all = everyHour("2026-10-01T00:00:00Z", "2026-11-28T13:00:00Z", 6);
  t.deepEqual(kept(all, EXPONENTIAL, { now: "2028-01-01T00:00:00Z" }), kept(all, EXPONENTIAL));
});

test("Exponential counts hours, days and weeks in the time zone", (t) => {
  // 28 November in Auckland begins at 11:00 on the 27th in UTC.
  const all = ["2026-11-26T10:00:00Z", "2026-11-26T12:00:00Z", "2026-11-28T12:00:00Z"].map((time) =>
    full(time),
  );
  t.deepEqual(kept(all, EXPONENTIAL), ["2026-11-26T12:00", "2026-11-28T12:00"]);
  t.deepEqual(kept(all, EXPONENTIAL, { zone: "Pacific/Auckland" }), [
    "2026-11-26T10:00",
    "2026-11-26T12:00",
    "2026-11-28T12:00",
  ]);
});

test("Exponential keeps incrementals over the newest full backup, and recent ones", (t) => {
  const old = full("2026-11-26T02:00:00Z");
  const oldLate = incremental("2026-11-26T23:00:00Z", old);
  const yesterday = full("2026-11-27T02:00:00Z");
  const early = incremental("2026-11-27T03:00:00Z", yesterday);
  const noon = incremental("2026-11-27T12:00:00Z", early);
  const late = incremental("2026-11-27T22:00:00Z", noon);
  const today = full("2026-11-28T02:00:00Z");
  const first = incremental("2026-11-28T12:00:00Z", today);
  const second = incremental("2026-11-28T13:00:00Z", today);
  const all = [old, oldLate, yesterday, early, noon, late, today, first, second];
  const fulls = [timeOf(old), timeOf(yesterday), timeOf(today)];
  t.deepEqual(kept(all, EXPONENTIAL), [...fulls, timeOf(first), timeOf(second)]);
  // 24 hours before 13:00 is after noon; `late` needs the two below it.
  t.deepEqual(
    kept(all, { kind: "exponential", incrementalsMs: 24 * 3600_000 }),
    all.filter((one) => one !== oldLate).map(timeOf),
  );
});

test("LimitBased keeps the newest full backups with their incrementals", (t) => {
  const one = full("2026-11-01T02:00:00Z");
  const two = full("2026-11-02T02:00:00Z");
  const three = full("2026-11-03T02:00:00Z");
  const overOne = incremental("2026-11-03T09:00:00Z", one);
  const overTwo = incremental("2026-11-02T03:00:00Z", two);
  const overThat = incremental("2026-11-02T04:00:00Z", overTwo);
  const all = [one, two, three, overTwo, overThat];
  t.deepEqual(
    kept(all, { kind: "limit-based", maxBackups: 2 }),
    [two, overTwo, overThat, three].map(timeOf),
  );
  t.deepEqual(
    kept(all, { kind: "limit-based", maxBackups: 9 }),
    [one, two, overTwo, overThat, three].map(timeOf),
  );
  // The newest that can be restored is over an old full backup.
  t.deepEqual(kept([one, two, three, overOne], NEWEST), [one, three, overOne].map(timeOf));
});

/** The example of restic's documentation: a backup every Sunday for twelve weeks. */
const SUNDAYS = everyHour("2019-09-01T11:00:00Z", "2019-11-17T11:00:00Z", 7 * 24);

test("Keep counts only days that have a backup, as restic does", (t) => {
  t.is(SUNDAYS.length, 12);
  t.deepEqual(kept(SUNDAYS, keepOf({ daily: 4 })), SUNDAYS.slice(8).map(timeOf));
  t.deepEqual(kept(SUNDAYS, keepOf({ last: 2 })), SUNDAYS.slice(10).map(timeOf));
  t.deepEqual(kept(SUNDAYS, keepOf({ weekly: Number.POSITIVE_INFINITY })), SUNDAYS.map(timeOf));
});

test("Keep keeps the last backup of each period", (t) => {
  t.deepEqual(
    kept(SUNDAYS, keepOf({ monthly: 2 })).map((time) => time.slice(0, 10)),
    ["2019-10-27", "2019-11-17"],
  );
  const hours = ["13:05", "13:55", "14:10", "14:20", "15:30"].map((time) =>
    full(`2026-11-27T${time}:00Z`),
  );
  t.deepEqual(
    kept(hours, keepOf({ hourly: 2 })).map((time) => time.slice(11)),
    ["14:20", "15:30"],
  );
});

test("Keep also keeps the oldest backup while there are fewer periods than wanted", (t) => {
  t.deepEqual(
    kept(SUNDAYS, keepOf({ monthly: 4 })).map((time) => time.slice(0, 10)),
    ["2019-09-01", "2019-09-29", "2019-10-27", "2019-11-17"],
  );
  t.deepEqual(codesOf(SUNDAYS[0] as Candidate, SUNDAYS, keepOf({ yearly: 2 })), ["oldest"]);
});

test("Keep adds up its rules, and each counts on its own", (t) => {
  // A hundred days; restic's example has the same rules for a hundred years.
  const days = everyHour("2026-08-20T12:00:00Z", "2026-11-27T12:00:00Z", 24);
  t.deepEqual(
    kept(days, keepOf({ daily: 7, weekly: 5, monthly: 12 })).map((time) => time.slice(0, 10)),
    [
      "2026-08-20", // the oldest
      "2026-08-31",
      "2026-09-30",
      "2026-10-31",
      "2026-11-01", // Sundays
      "2026-11-08",
      "2026-11-15",
      "2026-11-21", // seven days
      "2026-11-22",
      "2026-11-23",
      "2026-11-24",
      "2026-11-25",
      "2026-11-26",
      "2026-11-27",
    ],
  );
});

test("Keep within counts from the newest backup, and the limit itself is too old", (t) => {
  const within = { years: 0, months: 0, days: 14, hours: 0 };
  t.deepEqual(kept(SUNDAYS, keepOf({ within })), SUNDAYS.slice(10).map(timeOf));
  const month = { years: 0, months: 1, days: 0, hours: 1 };
  t.deepEqual(
    kept(SUNDAYS, keepOf({ within: month })).map((time) => time.slice(0, 10)),
    ["2019-10-20", "2019-10-27", "2019-11-03", "2019-11-10", "2019-11-17"],
  );
});

test("Keep decides about each incremental, and keeps its bases", (t) => {
  const base = full("2026-11-20T02:00:00Z");
  const one = incremental("2026-11-21T02:00:00Z", base);
  const two = incremental("2026-11-22T02:00:00Z", one);
  const beside = incremental("2026-11-22T01:00:00Z", base);
  const last = full("2026-11-23T02:00:00Z");
  t.deepEqual(kept([base, one, two, beside, last], keepOf({ daily: 2 })), [
    ...[base, one, two, last].map(timeOf),
  ]);
});

test("the newest chain that can be restored stays, though a newer incremental has lost its base", (t) => {
  const base = full("2026-10-01T02:00:00Z");
  const good = incremental("2026-10-02T02:00:00Z", base);
  const gone = full("2026-10-03T02:00:00Z");
  const orphan = incremental("2026-10-04T02:00:00Z", gone);
  const over = incremental("2026-10-05T02:00:00Z", orphan);
  const all = [base, good, orphan, over];
  t.deepEqual(kept(all, NEWEST), all.map(timeOf));
  t.deepEqual(codesOf(good, all).slice(0, 1), ["newest-chain"]);
  t.deepEqual(codesOf(over, all), ["base-missing"]);
});

/** A full backup at 2:00 of each day and an incremental at each other hour, over the one before. */
function hourly(from: string, to: string): Candidate[] {
  const all: Candidate[] = [];
  for (let at = Date.parse(from); at <= Date.parse(to); at += 3600_000) {
    const time = new Date(at).toISOString();
    const base = all.at(-1);
    all.push(base === undefined || time.includes("T02") ? full(time) : incremental(time, base));
  }
  return all;
}

test("the examples of docs/snapstores.md", (t) => {
  const all = hourly("2026-10-01T02:00:00Z", "2026-11-28T13:00:00Z");
  const from = (first: string, last: string): string[] =>
    all.map(timeOf).filter((time) => {
      const day = time.replace("+", "");
      return `2026-11-${first}` <= day && day <= `2026-11-${last}`;
    });
  const sundays = ["01", "08", "15"].map((day) => `2026-11-${day}T02:00`);
  const days = ["21", "22", "23", "24", "25", "26"].map((day) => `2026-11-${day}T02:00`);
  t.deepEqual(kept(all, { kind: "exponential", incrementalsMs: 24 * 3600_000 }), [
    ...sundays,
    ...days,
    ...from("27T02:00", "28T13:00"),
  ]);
  t.deepEqual(kept(all, { kind: "limit-based", maxBackups: 2 }), from("27T02:00", "28T13:00"));
  t.deepEqual(kept(all, keepOf({ daily: 2 })), [
    ...from("27T02:00", "27T23:00"),
    ...from("28T02:00", "28T13:00"),
  ]);
  const within = { years: 0, months: 0, days: 0, hours: 3 };
  t.deepEqual(kept(all, keepOf({ within })), from("28T02:00", "28T13:00"));
});

test("the examples of docs/server.md", (t) => {
  const all = hourly("2026-09-01T02:00:00Z", "2026-11-28T12:00:00Z");
  t.is(all.length, 2123);
  const exponential = kept(all, { kind: "exponential", incrementalsMs: 24 * 3600_000 });
  const days = ["01", "08", "15", "21", "22", "23", "24", "25", "26", "27", "28"];
  t.deepEqual(
    exponential.filter((time) => !time.startsWith("+")),
    days.map((day) => `2026-11-${day}T02:00`),
  );
  t.is(exponential.length, 44);
  t.is(kept(all, { kind: "limit-based", maxBackups: 7 }).length, 155);
  const rules = keepOf({ hourly: 24, daily: 7, weekly: 4, monthly: 3 });
  const byRule = decide(all, rules, new Date(NOW), "UTC");
  const times = (code: ReasonCode): string[] =>
    byRule
      .filter(({ reasons }) => reasons.some((reason) => reason.code === code))
      .map(({ snapshot }) => new Date(snapshot.name.time * 1000).toISOString().slice(5, 13));
  t.is(times("hourly")[0], "11-27T13");
  t.is(times("hourly").length, 24);
  t.deepEqual(
    times("daily"),
    ["22", "23", "24", "25", "26", "27"].map((day) => `11-${day}T23`).concat("11-28T12"),
  );
  t.deepEqual(times("weekly"), ["11-08T23", "11-15T23", "11-22T23", "11-28T12"]);
  t.deepEqual(times("monthly"), ["09-30T23", "10-31T23", "11-28T12"]);
  const stay = kept(all, rules);
  t.is(stay.length, 233);
  t.is(stay.filter((time) => !time.startsWith("+")).length, 11);
});

test("what is damaged, unfinished, foreign, held, pinned or locked stays, with its bases", (t) => {
  const newest = full("2026-11-27T02:00:00Z");
  const lockedUntil = new Date("2026-11-28T13:30:01Z");
  for (const [code, more] of [
    ["damaged", { state: "damaged" }],
    ["unfinished", { state: "unfinished" }],
    ["foreign", { foreign: "x" }],
    ["held", { held: true }],
    ["pinned", { pinned: true }],
    ["locked", { lockedUntil }],
  ] as const) {
    const base = full("2026-10-01T02:00:00Z");
    const middle = incremental("2026-10-02T02:00:00Z", base);
    const one = incremental("2026-10-03T02:00:00Z", middle, more);
    const above = incremental("2026-10-04T02:00:00Z", middle);
    const all = [base, middle, one, above, newest];
    t.deepEqual(kept(all, NEWEST), [base, middle, one, newest].map(timeOf), code);
    t.true(codesOf(one, all).includes(code));
    t.deepEqual(codesOf(base, all), ["base-of"]);
    t.deepEqual(codesOf(above, all), ["no-rule"]);
  }
  const past = full("2026-10-01T02:00:00Z", { lockedUntil: new Date(NOW) });
  t.deepEqual(kept([past, newest], NEWEST), [timeOf(newest)]);
});

test("names in the future stay, and do not count as the newest", (t) => {
  const old = full("2026-11-01T02:00:00Z");
  const newest = full("2026-11-27T02:00:00Z");
  const ahead = full("2031-01-01T00:00:00Z");
  const over = incremental("2031-01-01T01:00:00Z", ahead);
  t.deepEqual(kept([old, newest, ahead, over], NEWEST), [newest, ahead, over].map(timeOf));
});

test("what a snapshot of unknown base may be based on stays", (t) => {
  const old = full("2026-10-01T02:00:00Z");
  const newest = full("2026-11-27T02:00:00Z");
  const written = { state: "unfinished", facts: undefined } as const;
  const running = incremental("2026-11-01T02:00:00Z", old, { ...written, inProgress: true });
  const dead = incremental("2026-11-01T02:00:00Z", old, written);
  const unreadable = incremental("2026-11-01T02:00:00Z", old, {
    state: "damaged",
    facts: undefined,
  });
  t.deepEqual(codesOf(old, [old, running, newest]), ["may-be-base"]);
  t.deepEqual(codesOf(old, [old, unreadable, newest]), ["may-be-base"]);
  t.deepEqual(codesOf(old, [old, dead, newest]), ["no-rule"]);
});

test("all names of a backup go or stay together, and count as one", (t) => {
  const id = "same";
  const first = full("2026-11-01T02:00:00Z", { id });
  const copy = full("2026-11-03T02:00:00Z", { id });
  const other = full("2026-11-02T02:00:00Z");
  t.deepEqual(kept([first, copy, other], NEWEST), [first, copy].map(timeOf));
  t.deepEqual(codesOf(first, [first, copy, other]), ["same-backup"]);
  t.deepEqual(kept([first, copy, other], { kind: "limit-based", maxBackups: 2 }), [
    ...[first, other, copy].map(timeOf),
  ]);
  const newest = full("2026-11-04T02:00:00Z");
  t.deepEqual(kept([first, copy, other, newest], NEWEST), [timeOf(newest)]);
  // An incremental does not say which of the names it was made over.
  const over = incremental("2026-11-05T02:00:00Z", first);
  t.deepEqual(kept([first, copy, other, over], NEWEST), [first, copy, over].map(timeOf));
});

test("a cycle of bases in a hostile store ends", (t) => {
  const one = incremental("2026-11-01T02:00:00Z", full("2026-11-01T02:00:00Z"), { id: "a" });
  const two = incremental("2026-11-02T02:00:00Z", one, { id: "b" });
  const back = incremental("2026-11-03T02:00:00Z", two, { id: "full 2026-11-01T02:00:00Z" });
  t.deepEqual(kept([one, two, back], NEWEST), [one, two, back].map(timeOf));
});

test("an empty store, and one of unfinished snapshots alone, need no rule", (t) => {
  t.deepEqual(decide([], EXPONENTIAL, new Date(NOW), "UTC"), []);
  const one = full("2026-11-01T02:00:00Z", { state: "unfinished", facts: undefined });
  t.deepEqual(kept([one], EXPONENTIAL), [timeOf(one)]);
});

test("a chain of ten thousand incrementals is decided about within the stack", (t) => {
  const all = [full("2026-01-01T00:00:00Z")];
  for (let i = 1; i < 10_000; i++) {
    const time = new Date(Date.parse("2026-01-01T00:00:00Z") + i * 60_000).toISOString();
    all.push(incremental(time, all[i - 1] as Candidate));
  }
  t.is(kept(all, NEWEST).length, 10_000);
  t.is(kept(all, keepOf({ last: 1 })).length, 10_000);
});
