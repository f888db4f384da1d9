import test from "ava";
import { snapshotName } from "../../../src/snapshots/name.js";
import type { Candidate } from "../../../src/snapshots/retention/candidate.js";
import { decide } from "../../../src/snapshots/retention/decide.js";
import { costlyPause } from "../../../src/snapshots/retention/pauses.js";
import type { RetentionPolicy } from "../../../src/snapshots/retention/policy.js";

const HOUR = 3600;
const DAY = 24 * HOUR;
const BEGIN = 1_790_000_000;

const EXPONENTIAL: RetentionPolicy = { kind: "exponential", incrementalsMs: DAY * 1000 };
const LIMIT_BASED: RetentionPolicy = { kind: "limit-based", maxBackups: 7 };
const NO_COUNTS = { last: 0, hourly: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0 };
const WITHIN: RetentionPolicy = {
  kind: "keep",
  ...NO_COUNTS,
  within: { years: 0, months: 1, days: 0, hours: 0 },
};
const COUNTED: RetentionPolicy = { kind: "keep", ...NO_COUNTS, daily: 7, weekly: 4, monthly: 6 };

/** A store with retention after each backup, which deletes nothing while a pause is too costly. */
class Site {
  readonly #policy: RetentionPolicy;
  list: Candidate[] = [];
  stopped = 0;
  #time = BEGIN;
  #base: string | null = null;

  constructor(policy: RetentionPolicy) {
    this.#policy = policy;
  }

  wait(seconds: number): void {
    this.#time += seconds;
  }

  full(): void {
    this.#base = null;
    this.#make("full");
  }

  incremental(): void {
    this.#make("incremental");
  }

  decide() {
    const now = new Date(this.#time * 1000);
    const decisions = decide(this.list, this.#policy, now, "UTC");
    return { decisions, pause: costlyPause(decisions, this.#policy, now, "UTC") };
  }

  #make(kind: "full" | "incremental"): void {
    const name = snapshotName({ kind, firstRevision: 0, lastRevision: 0, time: this.#time });
    const facts = { id: name.text, base: this.#base };
    this.#base = name.text;
    const marks = { held: false, pinned: false, inProgress: false };
    this.list.push({ name, state: "complete", facts, ...marks });
    const { decisions, pause } = this.decide();
    if (pause !== undefined) this.stopped++;
    else this.list = decisions.filter(({ keep }) => keep).map(({ snapshot }) => snapshot);
  }
}

/** Days with a full backup and some incrementals each. */
function days(site: Site, count: number, incrementals: number): void {
  for (let day = 0; day < count; day++) {
    site.full();
    for (let i = 0; i < incrementals; i++) {
      site.wait(HOUR);
      site.incremental();
    }
    site.wait(DAY - incrementals * HOUR);
  }
}

test("a backup of a clock that is weeks ahead, and those after it, make nothing go", (t) => {
  for (const policy of [EXPONENTIAL, WITHIN]) {
    for (const weeks of [3, 5, 60]) {
      const site = new Site(policy);
      days(site, 70, 5);
      t.is(site.stopped, 0);
      const before = [...site.list];
      site.wait(weeks * 7 * DAY);
      site.full();
      t.is(site.stopped, 1, `${policy.kind}, ${weeks} weeks`);
      t.true(before.every((one) => site.list.includes(one)));
      // Nor a week later, when the newest are many.
      days(site, 7, 5);
      t.true(before.every((one) => site.list.includes(one)));
      t.is(site.decide().pause?.before, before.at(-1)?.name.text);
    }
  }
});

test("a short history is kept as well", (t) => {
  const site = new Site(EXPONENTIAL);
  days(site, 2, 0);
  site.wait(60 * DAY);
  days(site, 3, 0);
  t.is(site.list.length, 5);
});

test("after the clock was set right, retention goes on by itself", (t) => {
  const site = new Site(EXPONENTIAL);
  days(site, 30, 0);
  site.wait(50 * DAY);
  site.full();
  t.is(site.stopped, 1);
  site.wait(-49 * DAY);
  days(site, 20, 0);
  t.is(site.stopped, 1);
  t.true(site.list.length < 16);
});

test("regular schedules, with weekends and short outages, never end retention", (t) => {
  const seconds = [HOUR, 6 * HOUR, DAY, 7 * DAY, 30 * DAY];
  for (const policy of [EXPONENTIAL, WITHIN, COUNTED, LIMIT_BASED]) {
    for (const every of seconds) {
      const site = new Site(policy);
      for (let i = 0; i < 200; i++) {
        site.full();
        site.wait(every + (i % 7));
        if (i % 50 === 40) site.wait(3 * DAY);
      }
      t.is(site.stopped, 0, `${JSON.stringify(policy)} every ${every} s`);
    }
    const site = new Site(policy);
    for (let week = 0; week < 20; week++) {
      days(site, 5, 8);
      site.wait(2 * DAY);
    }
    t.is(site.stopped, 0, `${JSON.stringify(policy)}, workdays`);
  }
});

test("where the number of backups decides, a pause makes none go", (t) => {
  for (const policy of [LIMIT_BASED, COUNTED]) {
    const site = new Site(policy);
    days(site, 40, 3);
    site.wait(100 * DAY);
    days(site, 40, 3);
    t.is(site.stopped, 0, policy.kind);
  }
});

test("the first run over an old store is not taken for a pause", (t) => {
  for (const policy of [EXPONENTIAL, WITHIN]) {
    const site = new Site({ kind: "limit-based", maxBackups: 1000 });
    days(site, 200, 2);
    const now = new Date((BEGIN + 200 * DAY) * 1000);
    const decisions = decide(site.list, policy, now, "UTC");
    t.true(decisions.filter(({ keep }) => !keep).length > 300);
    t.is(costlyPause(decisions, policy, now, "UTC"), undefined);
  }
});
