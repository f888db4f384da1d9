import { setImmediate as turn } from "node:timers/promises";
import test from "ava";
import fc from "fast-check";
import type { QueueFile } from "../../../src/server/deltas/batch-file.js";
import {
  DeltaTerm,
  type FullBegun,
  type TermParts,
} from "../../../src/server/deltas/delta-term.js";
import { OwnEnds } from "../../../src/server/deltas/own-ends.js";
import { ManualClock } from "../../support/server/manual-clock.js";
import {
  digestOf,
  makeModelBase,
  ModelEtcd,
  modelFile,
  modelKeys,
  ModelSite,
  ModelWatchEnd,
} from "../../support/server/model-history.js";

/** More of them are a campaign. */
const RUNS = Number(process.env["RUNS"] ?? 40);

const NO_EVENTS: TermParts["events"] = {
  changed: () => {},
  received: () => {},
  wentOn: () => {},
  sealed: () => {},
  streamBegun: () => {},
  baseMade: () => {},
  failed: () => {},
  warned: () => {},
  stored: () => {},
  copied: () => {},
  siteFailed: () => {},
};

/** An etcd, two sites, and the terms of servers one after the other. */
class World {
  readonly etcd = new ModelEtcd();
  readonly sites: ModelSite[] = [];
  readonly clock = new ManualClock();
  term!: DeltaTerm;
  /** Of both sites; undefined: all. */
  wanted: ReadonlySet<string> | undefined;
  /** Those that are open. */
  readonly queueFiles = new Set<QueueFile>();
  /** Begins the history that the term is known to follow; undefined until a watch or a base has shown it. */
  #followed: readonly string[] | undefined;
  /** Those of the server that leads, and whether each of its terms went on from one of them. */
  ownEnds = new OwnEnds();
  readonly wentOnOwn: boolean[] = [];
  #abort = new AbortController();
  #running: Promise<unknown> = Promise.resolve();
  readonly events: { bases: number; reads: number; losses: unknown[] } = {
    bases: 0,
    reads: 0,
    losses: [],
  };
  /** While a base is stored: how often etcd writes, and how much each time. A second lies between. */
  slow = { seconds: 0, writes: 0 };

  constructor(names: readonly ("primary" | "secondary")[] = ["primary", "secondary"]) {
    this.etcd.wallMs = this.wallMs;
    for (const name of names) this.sites.push(new ModelSite(name, () => this.sites));
    this.begin();
  }

  /** How far the clock of the machine was set back. */
  behindMs = 0;
  wallMs = (): number => 1_795_000_000_000 + this.clock.now() - this.behindMs;

  async #storeBase(signal: AbortSignal): Promise<void> {
    const { seconds, writes } = this.slow;
    for (let i = 0; i < seconds; i++) {
      this.etcd.write(writes);
      await this.clock.sleep(1_000, signal);
    }
  }

  begin(): void {
    const { etcd, sites, clock } = this;
    this.#abort = new AbortController();
    this.#followed = undefined;
    this.term = new DeltaTerm({
      sites,
      clock,
      wallMs: this.wallMs,
      list: async () => {
        await turn();
        const up = sites.filter(({ isDown }) => !isDown);
        if (up.length === 0) throw new Error("both are down");
        return new Map(up.map((site) => [site.name, site.listed()]));
      },
      readEnd: async (revision) => {
        const found = sites.flatMap((site) => (site.isDown ? [] : (site.digestAt(revision) ?? [])));
        return found[0] && { revision, digest: found[0], clusterId: "1" };
      },
      openWatch: async (after, signal) => {
        const { tokens } = etcd;
        const watch = await etcd.openWatch(after, signal);
        if (watch.isStartProven) this.#followed = tokens.slice(0, after.revision);
        return watch;
      },
      openNewest: etcd.openNewest,
      openQueueFile: async () => {
        const file = modelFile((closed) => this.queueFiles.delete(closed));
        this.queueFiles.add(file);
        return file;
      },
      endOf: (error) => (error instanceof ModelWatchEnd ? error.end : { kind: "failed" }),
      openStream: async () => modelKeys(),
      makeBase: (time, onRead, signal) => {
        if (!etcd.isDown) {
          onRead();
          this.events.reads++;
        }
        return makeModelBase(etcd, sites, time, () => this.#storeBase(signal));
      },
      digestOf,
      wanted: () => this.wanted,
      limits: () => ({ periodMs: 10_000, bytes: 2_000 }),
      outbox: { bytes: 1e6, deltas: 4 },
      events: {
        ...NO_EVENTS,
        wentOn: (position) => {
          this.wentOnOwn.push(this.ownEnds.has(position));
          this.ownEnds.begin(position);
        },
        sealed: (position) => this.ownEnds.sealed(position),
        stored: (_, { last }) => this.ownEnds.stored(last),
        baseMade: ({ name, revision, digest, clusterId }, _, lost) => {
          this.ownEnds.begin({ revision, digest, clusterId });
          this.events.bases++;
          this.#followed = sites.flatMap((site) => site.bases.get(name) ?? [])[0]?.tokens;
          if (lost !== undefined) this.events.losses.push(lost);
        },
      },
    });
    this.#running = this.term.run(this.#abort.signal).catch(() => {});
  }

  /** As kill -9: what is in memory is lost. */
  async kill(): Promise<void> {
    this.#abort.abort();
    await this.#running;
    this.begin();
  }

  /** As SIGTERM: what was taken is written within a time. */
  async stop(): Promise<void> {
    this.term.drain();
    await this.clock.advance(30_000);
    this.#abort.abort();
    await this.#running;
  }

  end(): void {
    this.#abort.abort();
  }

  /** Resolves once the term has ended by itself. */
  async ended(): Promise<void> {
    await this.#running;
  }

  list(): void {
    for (const site of this.sites) {
      this.term.listingBegun(site.name);
      if (!site.isDown) this.term.listed(site.name, site.listed());
    }
  }

  #full:
    | {
        readonly begun: FullBegun;
        readonly begunMs: number;
        readonly tokens: string[];
        readonly term: DeltaTerm;
      }
    | undefined;

  fullBegun(): void {
    const { etcd, term } = this;
    if (etcd.isDown) return;
    const begunMs = Math.floor(this.wallMs() / 1000) * 1000;
    this.#full = { begun: term.fullBegun(), begunMs, tokens: [...etcd.tokens], term };
  }

  fullEnded(): void {
    const full = this.#full;
    this.#full = undefined;
    // A backup ends with the leadership.
    if (full === undefined || full.term !== this.term || this.sites[0]?.isDown) return;
    const { tokens, begunMs } = full;
    const up = this.sites.filter(({ isDown }) => !isDown);
    const base = { revision: tokens.length, tokens, begunMs, takenMs: this.wallMs() };
    const name = `full-${Math.random()}`;
    for (const site of up) site.bases.set(name, base);
    const names = up.map((site) => site.name);
    this.term.fullMade(full.begun, tokens.length, names);
  }

  /**
   * Throws unless what is said to be durable can be restored from the site alone, and is of the history that the term follows; of
   * any that etcd had, before that is known.
   */
  check(): void {
    const followed = this.#followed ?? [];
    const now = this.etcd.histories.filter((tokens) =>
      followed.every((one, i) => one === tokens[i]),
    );
    for (const site of this.sites) {
      const { revision } = this.term.durability.at(site.name, this.clock.now());
      if (revision === undefined) continue;
      const until = (tokens: readonly string[]): string => tokens.slice(0, revision).join();
      const ways = site.restored(revision).map(until);
      if (!now.map(until).some((way) => ways.includes(way))) {
        throw new Error(`revision ${revision} cannot be restored from the ${site.name}`);
      }
      const all = this.etcd.histories.map(until);
      if (ways.some((way) => !all.includes(way))) {
        throw new Error(`the ${site.name} restores a history that never was, at ${revision}`);
      }
    }
  }

  /** Lets everything work again. Throws unless all is durable then. */
  async checkCalm(): Promise<void> {
    const { etcd, sites, clock } = this;
    etcd.isDown = false;
    for (const site of sites) site.isDown = false;
    // Longer than the waits before another base.
    await clock.advance(3_600_000);
    this.list();
    etcd.write(2);
    // A step of the clock lets only so much happen.
    for (let i = 0; i < 60; i++) await clock.advance(1_000);
    this.check();
    for (const site of sites) {
      const { name } = site;
      const { revision, ageSeconds } = this.term.durability.at(name, clock.now());
      if (revision !== etcd.revision || ageSeconds > 0) {
        const of = `${revision} of ${etcd.revision}, ${ageSeconds} s`;
        throw new Error(`the ${name} has ${of}, while the loop is ${this.term.loop.state}`);
      }
      const now = etcd.tokens.join();
      if (!site.restored(revision).some((tokens) => tokens.join() === now)) {
        throw new Error(`the ${name} does not have the history of now`);
      }
    }
  }
}

test("what is written to etcd is durable at both sites a period later, and a base begins the log", async (t) => {
  const world = new World();
  await world.clock.advance(1_000);
  t.is(world.events.bases, 1);
  world.etcd.write(7);
  await world.clock.advance(9_000);
  t.is(world.term.durability.at("primary", world.clock.now()).revision, 3);
  t.true(world.term.durability.at("primary", world.clock.now()).ageSeconds > 8);
  await world.clock.advance(2_000);
  for (const site of ["primary", "secondary"] as const) {
    t.deepEqual(world.term.durability.at(site, world.clock.now()), {
      revision: 10,
      ageSeconds: 0,
    });
  }
  world.check();
  await world.stop();
});

test("another server goes on where the log ends, without another base", async (t) => {
  const world = new World();
  await world.clock.advance(1_000);
  world.etcd.write(7);
  await world.clock.advance(20_000);
  await world.kill();
  await world.clock.advance(20_000);
  world.etcd.write(5);
  await world.clock.advance(20_000);
  t.is(world.events.bases, 1);
  t.is(world.term.durability.at("secondary", world.clock.now()).revision, 15);
  world.check();
  await world.stop();
});

test("a server knows the end that it has left, and one that another server has written", async (t) => {
  const world = new World();
  await world.clock.advance(1_000);
  for (const end of ["kill", "stop"] as const) {
    world.etcd.write(7);
    await world.clock.advance(12_000);
    world.etcd.write(3);
    await world[end]();
    if (end === "stop") world.begin();
    await world.clock.advance(1_000);
  }
  t.deepEqual(world.wentOnOwn, [true, true]);
  const { ownEnds } = world;
  world.ownEnds = new OwnEnds();
  await world.kill();
  world.etcd.write(7);
  await world.clock.advance(20_000);
  world.ownEnds = ownEnds;
  await world.kill();
  await world.clock.advance(1_000);
  t.deepEqual(world.wentOnOwn, [true, true, false, false]);
  t.is(world.events.bases, 1);
  await world.stop();
});

test("a full backup that was begun before a base can be of the history before", async (t) => {
  const world = new World();
  await world.clock.advance(1_000);
  const before = world.term.fullBegun();
  t.true(world.term.isOfNow(before));
  world.etcd.restoreTo(1);
  await world.clock.advance(60_000);
  t.is(world.events.bases, 2);
  t.false(world.term.isOfNow(before));
  t.true(world.term.isOfNow(world.term.fullBegun()));
  await world.stop();
});

test("a stop writes what was taken from etcd", async (t) => {
  const world = new World();
  await world.clock.advance(1_000);
  world.etcd.write(4);
  await world.clock.advance(500);
  await world.stop();
  for (const site of world.sites) t.is(site.restored(7).length, 1);
});

test("another server goes on at the store that is up, and the primary gets it all when it is back", async (t) => {
  const world = new World();
  await world.clock.advance(1_000);
  world.etcd.write(7);
  await world.clock.advance(20_000);
  const [primary] = world.sites;
  if (primary === undefined) throw new Error("no primary");
  primary.isDown = true;
  await world.kill();
  world.etcd.write(5);
  await world.clock.advance(20_000);
  t.is(world.events.bases, 1);
  t.is(world.term.durability.at("secondary", world.clock.now()).revision, 15);
  t.true(world.term.durability.at("primary", world.clock.now()).ageSeconds >= 10);
  world.check();
  await world.checkCalm();
  t.is(world.events.bases, 1);
  await world.stop();
});

test("a term that is drained ends while one site is down, once the other has all", async (t) => {
  const world = new World();
  await world.clock.advance(1_000);
  const [primary, secondary] = world.sites;
  if (primary === undefined || secondary === undefined) throw new Error("no sites");
  secondary.isDown = true;
  world.etcd.write(4);
  await world.clock.advance(500);
  world.term.drain();
  await world.clock.advance(20_000);
  await world.ended();
  t.is(primary.restored(7).length, 1);
});

test("compacted revisions that were not read are lost, and said to be", async (t) => {
  const world = new World();
  await world.clock.advance(1_000);
  world.etcd.write(5);
  await world.clock.advance(20_000);
  await world.stop();
  world.etcd.write(20);
  world.etcd.compact(20);
  world.begin();
  await world.clock.advance(30_000);
  t.is(world.events.bases, 2);
  // The base holds what etcd was at revision 20.
  t.deepEqual(world.events.losses, [{ first: 9, last: 19 }]);
  await world.checkCalm();
  await world.stop();
});

test("an etcd that was restored to its past gets a log of its own", async (t) => {
  for (const writes of [0, 1, 50]) {
    const world = new World();
    await world.clock.advance(1_000);
    world.etcd.write(30);
    await world.clock.advance(20_000);
    world.etcd.restoreTo(12);
    world.etcd.write(writes);
    await world.clock.advance(30_000);
    t.is(world.events.bases, 2, `${writes}`);
    world.check();
    const { revision } = world.term.durability.at("secondary", world.clock.now());
    t.is(revision, world.etcd.revision);
    world.list();
    t.is(world.term.durability.at("secondary", world.clock.now()).revision, revision);
    await world.checkCalm();
    await world.stop();
  }
});

test("the base of an etcd that was restored is named later than all deltas, by a clock that is behind", async (t) => {
  const world = new World();
  await world.clock.advance(1_000);
  world.etcd.write(30);
  await world.clock.advance(20_000);
  world.etcd.write(5);
  await world.clock.advance(20_000);
  const lastSeen = Math.max(...streamsOf(world).map((stream) => stream.lastSeen ?? 0));
  world.etcd.restoreTo(12);
  world.behindMs = 60_000;
  await world.kill();
  await world.clock.advance(30_000);
  t.is(world.events.bases, 2);
  const { revision } = world.etcd;
  const restored = streamsOf(world).find(({ base }) => base?.revision === revision);
  t.true((restored?.name.time ?? 0) > lastSeen);
  await world.checkCalm();
  await world.stop();
});

test("what is copied of a history before a restore of etcd does not count for the one after it", async (t) => {
  const world = new World();
  const [, secondary] = world.sites;
  if (secondary === undefined) throw new Error("no secondary");
  secondary.isDown = true;
  await world.clock.advance(1_000);
  world.etcd.write(97);
  await world.clock.advance(60_000);
  world.etcd.restoreTo(50);
  await world.clock.advance(60_000);
  world.etcd.write(5);
  await world.clock.advance(30_000);
  secondary.isDown = false;
  await world.kill();
  await world.clock.advance(60_000);
  const at = () => world.term.durability.at("secondary", world.clock.now());
  t.deepEqual(at(), { revision: 56, ageSeconds: 0 });
  t.is([...secondary.bases].length, 2, "both are copied");
  secondary.isDown = true;
  world.etcd.write(10);
  await world.clock.advance(3_600_000);
  t.is(at().revision, 56);
  t.true(at().ageSeconds >= 3_600);
  world.check();
  await world.checkCalm();
  await world.stop();
});

test("an etcd that is restored while a base is stored gets another one, also where nothing can be compared", async (t) => {
  for (const restored of [true, false]) {
    const world = new World();
    world.etcd.compact(3);
    world.slow = { seconds: 1, writes: 1 };
    await world.clock.advance(1);
    if (restored) world.etcd.restoreTo(2);
    await world.clock.advance(30_000);
    world.etcd.write(3);
    await world.clock.advance(120_000);
    t.is(world.events.bases, restored ? 2 : 1);
    world.check();
    await world.checkCalm();
    await world.stop();
  }
});

function streamsOf({ sites }: World) {
  return sites.flatMap((site) => site.listed().streams);
}

test("a base that takes long is followed by all that etcd has written meanwhile", async (t) => {
  const world = new World();
  world.etcd.farBehind = 50;
  world.slow = { seconds: 60, writes: 10 };
  await world.clock.advance(70_000);
  world.etcd.write(5);
  const { ageSeconds } = world.term.durability.at("primary", world.clock.now());
  t.true(ageSeconds > 60, `${ageSeconds}`);
  for (let i = 0; i < 200; i++) await world.clock.advance(500);
  t.is(world.events.bases, 1);
  for (const { name } of world.sites) {
    t.is(world.term.durability.at(name, world.clock.now()).revision, 608);
  }
  await world.checkCalm();
  t.is(world.events.bases, 1);
  await world.stop();
});

test("a watch from before a base is paused while no store takes anything, and needs no disk", async (t) => {
  const world = new World();
  world.slow = { seconds: 60, writes: 10 };
  await world.clock.advance(50_000);
  t.true(world.queueFiles.size > 0);
  await world.clock.advance(20_000);
  for (let i = 0; i < 100; i++) await world.clock.advance(500);
  t.is(world.queueFiles.size, 0, "all that has waited is read");
  for (const site of world.sites) site.isDown = true;
  for (let i = 0; i < 30; i++) {
    world.etcd.write(40);
    await world.clock.advance(10_000);
    t.is(world.queueFiles.size, 0);
  }
  t.is(world.term.loop.state, "paused");
  t.true(world.term.durability.at("primary", world.clock.now()).ageSeconds > 290);
  for (const site of world.sites) site.isDown = false;
  await world.checkCalm();
  t.is(world.events.bases, 1);
  await world.stop();
});

test("an etcd that is restored while a base is made gets a log of what it has now", async (t) => {
  for (const writes of [0, 1, 50]) {
    const world = new World();
    world.etcd.write(30);
    world.slow = { seconds: 60, writes: 1 };
    await world.clock.advance(30_000);
    world.etcd.restoreTo(12);
    world.etcd.write(writes);
    await world.clock.advance(60_000);
    await t.notThrowsAsync(world.checkCalm());
    await world.stop();
  }
});

test("another term copies what a site lacks of the other one's streams, but for what it would not keep", async (t) => {
  for (const isKept of [true, false]) {
    const world = new World();
    await world.clock.advance(1_000);
    world.etcd.write(7);
    await world.clock.advance(20_000);
    await world.stop();
    const [primary, secondary] = world.sites;
    const [stream = ""] = [...(primary?.bases.keys() ?? [])];
    // By retention.
    primary?.files.clear();
    primary?.bases.clear();
    world.wanted = isKept ? undefined : new Set();
    world.begin();
    await world.clock.advance(60_000);
    t.true(secondary?.bases.has(stream));
    t.is(primary?.bases.has(stream), isKept);
    t.is(
      [...(primary?.files.keys() ?? [])].some((key) => key.startsWith(stream)),
      isKept,
    );
    await world.stop();
  }
});

test("what a site lacks is as old for another term as for the one before", async (t) => {
  const world = new World();
  await world.clock.advance(1_000);
  const [, secondary] = world.sites;
  if (secondary === undefined) throw new Error("no secondary");
  secondary.isDown = true;
  world.etcd.write(5);
  await world.clock.advance(3_600_000);
  world.etcd.write(5);
  await world.clock.advance(20_000);
  const age = (name: "primary" | "secondary"): number =>
    world.term.durability.at(name, world.clock.now()).ageSeconds;
  t.true(age("secondary") >= 3_620);
  secondary.isDown = false;
  secondary.copies = false;
  await world.kill();
  await world.clock.advance(20_000);
  t.true(age("secondary") >= 3_640, `${age("secondary")}`);
  t.true(age("secondary") < 3_660, `${age("secondary")}`);
  t.is(age("primary"), 0);
  secondary.copies = true;
  await world.checkCalm();
  await world.stop();
});

test("a database that no store takes is read seldom", async (t) => {
  const world = new World();
  await world.clock.advance(1_000);
  await world.stop();
  world.etcd.write(20);
  world.etcd.compact(20);
  world.begin();
  // They can be listed, and take nothing.
  for (const site of world.sites) site.isFull = true;
  await world.clock.advance(2 * 3_600_000);
  t.true(world.events.reads > 2);
  t.true(world.events.reads < 16, `${world.events.reads}`);
  for (const site of world.sites) site.isFull = false;
  await world.checkCalm();
  await world.stop();
});

test("a full backup is to be proved once the deltas up to it are stored, not as soon as it is a base itself", async (t) => {
  const sites = ["primary", "secondary"] as const;
  const world = new World();
  await world.clock.advance(1_000);
  world.etcd.write(7);
  await world.clock.advance(1_000);
  const { term } = world;
  t.false(term.isDurable(10, sites));
  world.fullBegun();
  world.fullEnded();
  t.is(term.durability.at("primary", world.clock.now()).revision, 10);
  t.false(term.storedDeltas(sites).hasSettled(10));
  await world.clock.advance(1_000);
  t.true(term.storedDeltas(sites).hasSettled(10));
  // Nothing comes after it.
  t.true(term.isDurable(10, sites));
  t.true(term.storedDeltas(sites).holdsAnyUpTo(5));
  t.false(term.storedDeltas(sites).holdsAnyUpTo(3));
  await world.stop();
});

test("both sites down make the watch wait, and nothing is lost when one is back", async (t) => {
  const world = new World();
  await world.clock.advance(1_000);
  for (const site of world.sites) site.isDown = true;
  for (let i = 0; i < 30; i++) {
    world.etcd.write(40);
    await world.clock.advance(10_000);
    for (const { name } of world.sites) t.true(world.term.outbox.waiting(name).deltas <= 4);
  }
  t.is(world.term.loop.state, "paused");
  t.true((world.term.loop.covered ?? 0) < 500);
  t.true(world.term.durability.at("primary", world.clock.now()).ageSeconds > 290);
  for (const site of world.sites) site.isDown = false;
  await world.clock.advance(120_000);
  t.is(world.events.bases, 1);
  await world.checkCalm();
  await world.stop();
});

test("nothing is said to be durable that is not, whatever happens, and in the end all is", async (t) => {
  const commands = fc.oneof(
    { weight: 4, arbitrary: fc.record({ write: fc.integer({ min: 1, max: 30 }) }) },
    { weight: 4, arbitrary: fc.record({ wait: fc.integer({ min: 1, max: 40_000 }) }) },
    { weight: 2, arbitrary: fc.record({ down: fc.tuple(fc.boolean(), fc.boolean()) }) },
    { weight: 1, arbitrary: fc.record({ compact: fc.integer({ min: 0, max: 10 }) }) },
    { weight: 1, arbitrary: fc.record({ restore: fc.integer({ min: 1, max: 40 }) }) },
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constantFrom("kill", "stop", "list", "full", "fullEnded", "break"),
      }),
    },
    { weight: 1, arbitrary: fc.record({ slowFull: fc.integer({ min: 1, max: 60_000 }) }) },
    { weight: 1, arbitrary: fc.record({ etcdDown: fc.boolean() }) },
    {
      weight: 2,
      arbitrary: fc.record({
        slow: fc.record({ seconds: fc.integer({ max: 30, min: 0 }), writes: fc.nat(9) }),
      }),
    },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(commands, { minLength: 3, maxLength: 25 }), async (steps) => {
      const world = new World();
      world.etcd.farBehind = 60;
      t.teardown(() => world.end());
      for (const step of steps) {
        if ("write" in step) world.etcd.write(step.write);
        else if ("wait" in step) await world.clock.advance(step.wait);
        else if ("compact" in step) world.etcd.compact(world.etcd.revision - step.compact);
        else if ("restore" in step) world.etcd.restoreTo(world.etcd.revision - step.restore);
        else if ("slow" in step) world.slow = step.slow;
        else if ("slowFull" in step) {
          world.fullBegun();
          await world.clock.advance(step.slowFull);
          world.fullEnded();
        } else if ("etcdDown" in step) world.etcd.isDown = step.etcdDown;
        else if ("down" in step) {
          for (const [i, site] of world.sites.entries()) site.isDown = step.down[i] === true;
        } else if (step.do === "kill") await world.kill();
        else if (step.do === "list") world.list();
        else if (step.do === "full") world.fullBegun();
        else if (step.do === "fullEnded") world.fullEnded();
        else if (step.do === "break") world.etcd.breakWatches();
        else {
          await world.stop();
          world.begin();
        }
        world.check();
      }
      await world.checkCalm();
      await world.stop();
    }),
    { numRuns: RUNS, includeErrorInReport: true },
  );
  t.pass();
});
