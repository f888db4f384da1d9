import { setImmediate as turn } from "node:timers/promises";
import test from "ava";
import fc from "fast-check";
import { BackupToolError, InterruptedError, NotLeaderError } from "../../../src/errors.js";
import { Outbox, type SealedDelta } from "../../../src/server/deltas/outbox.js";
import {
  type DeltaSite,
  type SenderEvents,
  SiteSender,
} from "../../../src/server/deltas/site-sender.js";
import type { Site } from "../../../src/server/status.js";
import { ManualClock } from "../../support/server/manual-clock.js";

const SITES = ["primary", "secondary"] as const;
const NEVER = new AbortController().signal;

function deltaOf(number: number, bytes = 100, perStream = 10): SealedDelta {
  const stream = `stream-${Math.floor(number / perStream)}`;
  const [first, last] = [number * 3 + 1, number * 3 + 3];
  return { stream, key: `${stream}/${number}`, first, last, bytes: Buffer.alloc(bytes) };
}

/** A site in memory, which a test takes down and up. */
class MemorySite implements DeltaSite {
  readonly name: Site;
  readonly held = new Map<string, SealedDelta>();
  readonly #all: () => readonly MemorySite[];
  isDown = false;

  constructor(name: Site, all: () => readonly MemorySite[]) {
    this.name = name;
    this.#all = all;
  }

  async put(delta: SealedDelta): Promise<void> {
    await turn();
    if (this.isDown) throw new Error(`${this.name} is down`);
    this.held.set(delta.key, delta);
  }

  async copyStream(stream: string, from: Site): Promise<undefined> {
    const source = this.#all().find(({ name }) => name === from);
    await turn();
    if (this.isDown || source === undefined || source.isDown) throw new Error("down");
    for (const [key, delta] of source.held) if (delta.stream === stream) this.held.set(key, delta);
  }
}

const NO_EVENTS: SenderEvents = { stored: () => {}, copied: () => {}, failed: () => {} };

test("a delta waits for each site until its put there has returned", async (t) => {
  const outbox = new Outbox(SITES, { bytes: 1000, deltas: 10 });
  const [one, two] = [deltaOf(0), deltaOf(1)];
  await outbox.push(one, NEVER);
  await outbox.push(two, NEVER);
  t.is(await outbox.next("primary", NEVER), one);
  // Asked again before the put has returned, it is the same.
  t.is(await outbox.next("primary", NEVER), one);
  outbox.stored("primary", one);
  t.is(await outbox.next("primary", NEVER), two);
  t.is(await outbox.next("secondary", NEVER), one);
  t.deepEqual(outbox.waiting("primary"), { deltas: 1, bytes: 100 });
  t.deepEqual(outbox.waiting("secondary"), { deltas: 2, bytes: 200 });
});

test("what another site has is dropped from a full queue; what no site has makes the writer wait", async (t) => {
  for (const limits of [
    { bytes: 300, deltas: 99 },
    { bytes: 1e6, deltas: 3 },
  ]) {
    const outbox = new Outbox(SITES, limits);
    for (let i = 0; i < 3; i++) await outbox.push(deltaOf(i), NEVER);
    let pushed = false;
    const waiting = outbox.push(deltaOf(3), NEVER).then(() => {
      pushed = true;
    });
    await turn();
    t.false(pushed);
    t.false(outbox.isLacking("secondary"));
    outbox.stored("primary", await outbox.next("primary", NEVER));
    await waiting;
    // The secondary lost the oldest, and has the rest.
    t.deepEqual(await outbox.lacking("secondary", NEVER), ["stream-0"]);
    t.is((await outbox.next("secondary", NEVER)).first, deltaOf(1).first);
    t.is(outbox.waiting("secondary").deltas, 3);
    const stop = new AbortController();
    const never = outbox.push(deltaOf(4), stop.signal);
    stop.abort();
    await t.throwsAsync(never, { instanceOf: InterruptedError });
  }
});

test("a put that returns after its delta was dropped changes nothing else", async (t) => {
  const outbox = new Outbox(SITES, { bytes: 1e6, deltas: 1 });
  await outbox.push(deltaOf(0), NEVER);
  const slow = await outbox.next("secondary", NEVER);
  outbox.stored("primary", await outbox.next("primary", NEVER));
  await outbox.push(deltaOf(1), NEVER);
  outbox.stored("secondary", slow);
  t.is((await outbox.next("secondary", NEVER)).first, deltaOf(1).first);
  t.is(outbox.waiting("secondary").deltas, 1);
});

test("both sites get every delta, however they go down and up, and memory stays bounded", async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({
          downs: fc.tuple(fc.boolean(), fc.boolean()),
          deltas: fc.integer({ min: 0, max: 6 }),
        }),
        { minLength: 1, maxLength: 12 },
      ),
      fc.integer({ min: 1, max: 5 }),
      async (steps, limit) => {
        const clock = new ManualClock();
        const sites: MemorySite[] = SITES.map((name) => new MemorySite(name, () => sites));
        const outbox = new Outbox(SITES, { bytes: 1e6, deltas: limit });
        const stop = new AbortController();
        const running = sites.map((site, i) =>
          new SiteSender(site, SITES[1 - i], outbox, NO_EVENTS, clock).run(stop.signal),
        );
        const ended = Promise.allSettled(running);
        const waits: Promise<void>[] = [];
        let count = 0;
        const all: SealedDelta[] = [];
        let chain = Promise.resolve();
        for (const { downs, deltas } of steps) {
          for (const [i, site] of sites.entries()) site.isDown = downs[i] === true;
          for (let i = 0; i < deltas; i++) {
            const delta = deltaOf(count++, 100, 4);
            all.push(delta);
            chain = chain.then(() => outbox.push(delta, NEVER));
            waits.push(chain);
          }
          await clock.advance(3_000);
          for (const site of SITES) t.true(outbox.waiting(site).deltas <= limit);
        }
        for (const site of sites) site.isDown = false;
        await clock.advance(120_000);
        await Promise.all(waits);
        await clock.advance(120_000);
        for (const site of sites) {
          t.deepEqual([...site.held.keys()].sort(), all.map(({ key }) => key).sort(), site.name);
          t.deepEqual(outbox.waiting(site.name), { deltas: 0, bytes: 0 });
          t.false(outbox.isLacking(site.name));
        }
        stop.abort();
        await ended;
      },
    ),
    { numRuns: 25 },
  );
});

test("an event says that a delta is stored only once its put has returned", async (t) => {
  const outbox = new Outbox(["primary"], { bytes: 1e6, deltas: 9 });
  const stored: string[] = [];
  const failures: unknown[] = [];
  let puts = 0;
  const clock = new ManualClock();
  const site: DeltaSite = {
    name: "primary",
    put: async () => {
      puts++;
      t.deepEqual(stored, []);
      if (puts < 3) throw new Error("down");
    },
    copyStream: async () => t.fail(),
  };
  const events: SenderEvents = {
    ...NO_EVENTS,
    stored: (_, { key }) => stored.push(key),
    failed: (_, error) => failures.push(error),
  };
  const stop = new AbortController();
  const running = new SiteSender(site, undefined, outbox, events, clock).run(stop.signal);
  const ended = t.throwsAsync(running, { instanceOf: InterruptedError });
  await outbox.push(deltaOf(0), NEVER);
  await clock.advance(60_000);
  t.deepEqual(stored, [deltaOf(0).key]);
  t.is(failures.length, 2);
  stop.abort();
  await ended;
});

test("a lost leadership ends the sender at once", async (t) => {
  const outbox = new Outbox(["primary"], { bytes: 1e6, deltas: 9 });
  let puts = 0;
  const site: DeltaSite = {
    name: "primary",
    put: async () => {
      puts++;
      throw new NotLeaderError("another one leads");
    },
    copyStream: async () => t.fail(),
  };
  const running = new SiteSender(site, undefined, outbox, NO_EVENTS).run(NEVER);
  await outbox.push(deltaOf(0), NEVER);
  await outbox.push(deltaOf(1), NEVER);
  await t.throwsAsync(running, { instanceOf: NotLeaderError });
  t.is(puts, 1);
});

test("a stream that cannot be copied keeps no other from being copied", async (t) => {
  const outbox = new Outbox(SITES, { bytes: 1e6, deltas: 9 });
  const copied: string[] = [];
  const clock = new ManualClock();
  const site: DeltaSite = {
    name: "secondary",
    put: async () => {},
    copyStream: async (stream) => {
      if (stream === "stream-1") throw new Error("it is damaged");
      copied.push(stream);
      return undefined;
    },
  };
  const stop = new AbortController();
  const running = new SiteSender(site, "primary", outbox, NO_EVENTS, clock).run(stop.signal);
  const ended = t.throwsAsync(running, { instanceOf: InterruptedError });
  for (const stream of ["stream-1", "stream-2", "stream-3"]) outbox.lack("secondary", stream);
  await clock.advance(60_000);
  t.deepEqual(copied, ["stream-2", "stream-3"]);
  t.true(outbox.isLacking("secondary"));
  stop.abort();
  await ended;
});

test("a stream that cannot be copied does not keep others from it, and one that is gone is forgotten", async (t) => {
  const outbox = new Outbox(SITES, { bytes: 1e6, deltas: 9 });
  const clock = new ManualClock();
  const codes: Readonly<Record<string, string>> = {
    other: "SNAPSHOT_CONFLICT",
    gone: "NO_SNAPSHOT",
    foreign: "FOREIGN_FILE",
  };
  const tried: string[] = [];
  const copied: string[] = [];
  const failures: unknown[] = [];
  const site: DeltaSite = {
    name: "secondary",
    put: async () => t.fail(),
    copyStream: async (stream) => {
      await turn();
      tried.push(stream);
      const code = codes[stream];
      if (code !== undefined) throw new BackupToolError(code, stream);
      return undefined;
    },
  };
  const events: SenderEvents = {
    ...NO_EVENTS,
    copied: (_, stream) => copied.push(stream),
    failed: (_, error) => failures.push(error),
  };
  const stop = new AbortController();
  const running = new SiteSender(site, "primary", outbox, events, clock).run(stop.signal);
  const ended = t.throwsAsync(running, { instanceOf: InterruptedError });
  for (const stream of ["other", "gone", "foreign", "good"]) outbox.lack("secondary", stream);
  await clock.advance(60_000);
  t.deepEqual(copied, ["good"]);
  t.deepEqual(await outbox.lacking("secondary", NEVER), ["other", "foreign"]);
  t.is(failures.length, 2);
  // What comes later does not wait for them either.
  outbox.lack("secondary", "later");
  await clock.advance(31_000);
  t.deepEqual(copied, ["good", "later"]);
  // A person mends one.
  tried.length = 0;
  await clock.advance(10 * 60_000);
  t.deepEqual(tried, ["other", "foreign"]);
  stop.abort();
  await ended;
});
