import test, { type ExecutionContext } from "ava";
import fc from "fast-check";
import { snapshotName } from "../../../src/snapshots/name.js";
import type { Candidate } from "../../../src/snapshots/retention/candidate.js";
import { decide } from "../../../src/snapshots/retention/decide.js";
import type { RetentionPolicy } from "../../../src/snapshots/retention/policy.js";
import { canBeRestored, keptNames } from "../../support/stores/retention-oracle.js";

const MINUTE = 60;
const HOUR = 3600;
const DAY = 86_400;

/** What happens to one of two stores, or to the clock. `pick` chooses among what is there. */
type Step =
  | { readonly do: "wait"; readonly seconds: number }
  | { readonly do: "full"; readonly stores: readonly Store[] }
  | { readonly do: "incremental"; readonly stores: readonly Store[]; readonly pick: number }
  | { readonly do: "copy"; readonly from: Store }
  | { readonly do: "copy under another name"; readonly in: Store; readonly pick: number }
  | { readonly do: "lock"; readonly in: Store; readonly pick: number; readonly seconds: number }
  | { readonly do: Mark; readonly in: Store; readonly pick: number }
  | { readonly do: "prune"; readonly in: Store; readonly policy: RetentionPolicy };

type Store = 0 | 1;
type Mark = (typeof MARKS)[number];

const MARKS = [
  "hold",
  "release",
  "pin",
  "unpin",
  "damage",
  "damage the manifest",
  "lose",
  "leave unfinished",
  "put a foreign file",
] as const;

const store = fc.constantFrom<Store>(0, 1);
const stores = fc.constantFrom<readonly Store[]>([0, 1], [0, 1], [0], [1]);
// Mostly one of the newest.
const pick = fc.oneof(fc.nat(3), fc.nat(100));
const count = fc.oneof(
  { weight: 3, arbitrary: fc.constant(0) },
  { weight: 3, arbitrary: fc.nat(6) },
  { weight: 1, arbitrary: fc.constant(Number.POSITIVE_INFINITY) },
);
const policy = fc.oneof(
  fc.record({
    kind: fc.constant("exponential" as const),
    incrementalsMs: fc.constantFrom(0, HOUR * 1000, DAY * 1000),
  }),
  fc.record({
    kind: fc.constant("limit-based" as const),
    maxBackups: fc.integer({ min: 1, max: 4 }),
  }),
  fc.record({
    kind: fc.constant("keep" as const),
    last: fc.nat(2),
    hourly: count,
    daily: count,
    weekly: count,
    monthly: count,
    yearly: count,
    within: fc.option(
      fc.record({
        years: fc.constant(0),
        months: fc.constant(0),
        days: fc.nat(3),
        hours: fc.constantFrom(0, 1, 6, 24),
      }),
      { nil: undefined },
    ),
  }),
);

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("wait" as const),
      seconds: fc.oneof(
        // Exactly as long as a limit.
        { weight: 4, arbitrary: fc.constantFrom(HOUR, 6 * HOUR, DAY, DAY, 7 * DAY) },
        fc.integer({ min: 1, max: 90 * MINUTE }),
        fc.integer({ min: HOUR, max: 30 * HOUR }),
        fc.integer({ min: DAY, max: 20 * DAY }),
        // The clock is set back, or far ahead.
        fc.constantFrom(-HOUR, -2 * DAY, -40 * DAY, 400 * DAY),
      ),
    }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant("full" as const), stores }) },
  { weight: 9, arbitrary: fc.record({ do: fc.constant("incremental" as const), stores, pick }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("copy" as const), from: store }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("copy under another name" as const),
      in: store,
      pick,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("lock" as const),
      in: store,
      pick,
      seconds: fc.constantFrom(HOUR, DAY, 10 * DAY),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom(...MARKS), in: store, pick }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("prune" as const), in: store, policy }) },
);

/** Two stores and a clock. */
class History {
  readonly #stores: [Map<string, Candidate>, Map<string, Candidate>] = [new Map(), new Map()];
  readonly #t: ExecutionContext;
  readonly #timeZone: string;
  /** Seconds since 1970: 14 November 2023. */
  #now = 1_700_000_000;
  #revision = 0;
  #backups = 0;

  constructor(t: ExecutionContext, timeZone: string) {
    this.#t = t;
    this.#timeZone = timeZone;
  }

  take(next: Step): void {
    switch (next.do) {
      case "wait":
        this.#now += next.seconds;
        return;
      case "full":
        this.#make(next.stores, undefined);
        return;
      case "incremental": {
        const [first = 0] = next.stores;
        const base = this.#pick(first, next.pick, (one) => this.#canBeRestored(first, one));
        if (base !== undefined) this.#make(next.stores, base);
        return;
      }
      case "copy": {
        const target = this.#stores[next.from === 0 ? 1 : 0];
        for (const [name, one] of this.#stores[next.from]) {
          if (one.state !== "complete" || target.has(name)) continue;
          target.set(name, { ...one, held: false, pinned: false, lockedUntil: undefined });
        }
        return;
      }
      case "copy under another name": {
        const one = this.#pick(next.in, next.pick, ({ facts }) => facts !== undefined);
        if (one === undefined) return;
        const name = snapshotName({ ...one.name, time: this.#freeTime([next.in]) });
        this.#stores[next.in].set(name.text, { ...one, name });
        return;
      }
      case "lock": {
        const lockedUntil = new Date((this.#now + next.seconds) * 1000);
        this.#change(next.in, next.pick, { lockedUntil });
        return;
      }
      case "prune":
        this.#prune(next.in, next.policy);
        return;
      default:
        this.#mark(next);
    }
  }

  #mark({ do: mark, in: place, pick: at }: { do: Mark; in: Store; pick: number }): void {
    switch (mark) {
      case "hold":
      case "release":
        this.#change(place, at, { held: mark === "hold" });
        return;
      case "pin":
      case "unpin":
        this.#change(place, at, { pinned: mark === "pin" });
        return;
      case "damage":
        this.#change(place, at, { state: "damaged" });
        return;
      case "damage the manifest":
        this.#change(place, at, { state: "damaged", facts: undefined });
        return;
      case "leave unfinished":
        this.#change(place, at, {
          state: "unfinished",
          facts: undefined,
          inProgress: at % 2 === 0,
        });
        return;
      case "put a foreign file":
        this.#change(place, at, { foreign: "x" });
        return;
      case "lose": {
        const one = this.#pick(place, at);
        if (one !== undefined) this.#stores[place].delete(one.name.text);
      }
    }
  }

  #make(places: readonly Store[], base: Candidate | undefined): void {
    const withEtcd = this.#backups % 3 !== 0;
    if (withEtcd) this.#revision += 5;
    const lastRevision = withEtcd ? this.#revision : 0;
    const over = base?.name.lastRevision ?? 0;
    const name = snapshotName({
      kind: base === undefined ? "full" : "incremental",
      firstRevision:
        base === undefined || lastRevision === 0 ? 0 : Math.min(over + 1, lastRevision),
      lastRevision,
      time: this.#freeTime([0, 1]),
    });
    this.#backups++;
    const facts = { id: `backup ${this.#backups}`, base: base?.facts?.id ?? null };
    const made: Candidate = {
      name,
      state: "complete",
      facts,
      held: false,
      pinned: false,
      inProgress: false,
    };
    for (const place of places) this.#stores[place].set(name.text, made);
  }

  /** As `create` chooses names: later than all others, unless the other store is the only one with them. */
  #freeTime(places: readonly Store[]): number {
    const times = places.flatMap((place) =>
      [...this.#stores[place].values()].map((o) => o.name.time),
    );
    const isAhead = times.some((time) => time >= this.#now);
    return isAhead ? Math.max(...times) + 1 : this.#now;
  }

  #pick(
    place: Store,
    at: number,
    wanted: (one: Candidate) => boolean = () => true,
  ): Candidate | undefined {
    const found = [...this.#stores[place].values()].filter(wanted);
    return found.at(-1 - (at % Math.max(1, found.length)));
  }

  #change(place: Store, at: number, change: Partial<Candidate>): void {
    const one = this.#pick(place, at);
    if (one !== undefined) this.#stores[place].set(one.name.text, { ...one, ...change });
  }

  #canBeRestored(place: Store, one: Candidate): boolean {
    return canBeRestored(one, [...this.#stores[place].values()]);
  }

  #prune(place: Store, wanted: RetentionPolicy): void {
    const t = this.#t;
    const now = new Date(this.#now * 1000);
    const before = [...this.#stores[place].values()];
    const decisions = decide(before, wanted, now, this.#timeZone);
    const kept = decisions.filter(({ keep }) => keep).map(({ snapshot }) => snapshot);
    t.deepEqual(
      kept.map(({ name }) => name.text).sort(),
      [...keptNames(before, wanted, now, this.#timeZone)].sort(),
    );
    for (const { keep, reasons } of decisions) {
      t.is(keep, !reasons.some(({ code }) => code === "no-rule"));
      t.true(reasons.length > 0);
    }
    for (const one of before) {
      if (kept.includes(one)) {
        t.is(canBeRestored(one, kept), canBeRestored(one, before), `${one.name.text} lost a base`);
        continue;
      }
      this.#stores[place].delete(one.name.text);
      const { held, pinned, foreign, state, lockedUntil, name } = one;
      t.false(held || pinned || foreign !== undefined || state !== "complete", name.text);
      t.true(lockedUntil === undefined || lockedUntil <= now, name.text);
      t.true(canBeRestored(one, before) && name.time <= this.#now, name.text);
    }
    const restorable = before.filter((one) => canBeRestored(one, before));
    const newest = Math.max(...restorable.map(({ name }) => name.time));
    t.is(
      restorable.length > 0,
      kept.some((one) => one.name.time === newest),
    );
    const again = decide(kept, wanted, now, this.#timeZone);
    t.true(
      again.every(({ keep }) => keep),
      "a second run deletes more",
    );
  }
}

for (const timeZone of ["UTC", "Europe/Berlin", "Australia/Lord_Howe"]) {
  test(`retention follows its rules in any history, and loses no base: ${timeZone}`, (t) => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 10, maxLength: 60, size: "max" }), (steps) => {
        const history = new History(t, timeZone);
        for (const next of steps) history.take(next);
      }),
      { numRuns: 700 },
    );
  });
}
