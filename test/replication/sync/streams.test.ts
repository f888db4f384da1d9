import { randomBytes } from "node:crypto";
import test from "ava";
import fc from "fast-check";
import { BackupToolError } from "../../../src/errors.js";
import { deleteMirrored } from "../../../src/operations/snapshots/mirror-deletion.js";
import { SeenSnapshots } from "../../../src/operations/open/seen-snapshots.js";
import { copyRetryPolicy } from "../../../src/replication/copy/retries.js";
import { StoreSync } from "../../../src/replication/sync/store-sync.js";
import { SyncError } from "../../../src/replication/sync/sync-error.js";
import type { SyncSettings } from "../../../src/replication/sync/sync-run.js";
import { CachedCatalog } from "../../../src/snapshots/cached-catalog.js";
import { deleteStream } from "../../../src/snapshots/streams/delete-stream.js";
import { deltaName, parseDeltaName } from "../../../src/snapshots/streams/delta-name.js";
import { listStreams } from "../../../src/snapshots/streams/list-streams.js";
import { StoreError } from "../../../src/snapstore/errors.js";
import { RetryingStore } from "../../../src/snapstore/layers/retrying.js";
import {
  forgedDelta,
  type ForgedStream,
  forgeStream,
} from "../../support/stores/forged-streams.js";
import { forgeFull } from "../../support/stores/memory-snapshots.js";
import { MemoryStore } from "../../support/stores/memory-store.js";
import { SwitchableStore } from "../../support/stores/switchable-store.js";

const { signal } = new AbortController();
const RETRIES = { maxRetries: 1, backoffMs: 0 };
const GRACE_MS = 100;
const PERIOD_SECONDS = 50;
const context = { signal, report: () => {} };

/** Two stores that are kept in step. */
class Syncing {
  readonly source = new MemoryStore();
  readonly target = new MemoryStore();
  readonly sites = { source: site(this.source), target: site(this.target) };
  readonly copied: string[] = [];
  readonly notCopied: string[] = [];
  readonly deleted: string[] = [];
  readonly held = new Set<string>();
  readonly #sync: StoreSync;
  nowMs = 0;

  constructor() {
    this.#sync = new StoreSync(this.sites.source, this.sites.target, () => this.nowMs);
  }

  async run(mirror = false, more: Partial<SyncSettings> = {}) {
    for (const list of [this.copied, this.notCopied, this.deleted]) list.length = 0;
    const rules = {
      maxDeleteFraction: 1,
      graceMs: GRACE_MS,
      streamPeriodMs: PERIOD_SECONDS * 1000,
    };
    const { target } = this.sites;
    const seen = new SeenSnapshots(context);
    const remove = deleteMirrored(target, { seen, waitMs: 0, guard: undefined, signal });
    return await this.#sync.run(
      {
        maxParallelCopies: 3,
        minChunkBytes: 1 << 20,
        maxParallelChunks: 2,
        retries: RETRIES,
        signal,
        keepBase: (_store, _base, copy) => copy(async () => {}),
        held: async () => this.held,
        mirror: mirror ? { rules, remove } : undefined,
        ...more,
      },
      {
        onListed: async () => {},
        onPlanned: () => {},
        onBegin: () => {},
        onProgress: () => {},
        onCopied: (name) => this.copied.push(name),
        onNotCopied: (name, { code }) => this.notCopied.push(`${name} ${code}`),
        onRefused: () => {},
        onDeleted: ({ text }) => this.deleted.push(text),
        onNotDeleted: (name, { code }) => this.notCopied.push(`${name?.text} ${code}`),
      },
    );
  }
}

function site(store: MemoryStore) {
  const switchable = new SwitchableStore(store);
  const retrying = new RetryingStore(switchable, copyRetryPolicy(RETRIES));
  return { store: retrying, catalog: new CachedCatalog(retrying), switchable };
}

/** By key, without control files. */
function contentOf({ objects }: MemoryStore): Map<string, string> {
  return new Map(
    [...objects.keys()]
      .filter((key) => !key.startsWith("."))
      .sort()
      .map((key) => [key, Buffer.from(objects.get(key)?.bytes ?? []).toString("hex")]),
  );
}

async function remove(store: MemoryStore, { name }: ForgedStream): Promise<void> {
  await deleteStream(store, name, { dryRun: false, signal });
}

test("a sync copies streams with their bases, the newest first; a later one makes listing requests alone", async (t) => {
  const sync = new Syncing();
  const old = await forgeStream(sync.source, { first: 2, time: 1000, base: 40, lengths: [1, 2] });
  const newest = await forgeStream(sync.source, { first: 5, time: 2000, lengths: [1, 1, 1] });
  const key = `${newest.name.text}/${deltaName(newest.deltas[0] ?? { number: 0, first: 0, last: 0, time: 0 })}`;
  await sync.target.put(key, sync.source.objects.get(key)?.bytes ?? Buffer.of());
  const totals = await sync.run();
  t.deepEqual(sync.copied, [newest.name.text, old.name.text]);
  t.deepEqual(contentOf(sync.target), contentOf(sync.source));
  t.deepEqual(totals.lag, { snapshots: 0, deltas: 0, bytes: 0, seconds: 0 });
  // The manifests that were copied are read once.
  await sync.run();
  for (const { switchable } of Object.values(sync.sites)) switchable.calls.length = 0;
  t.is((await sync.run()).copied, 0);
  for (const { switchable } of Object.values(sync.sites)) {
    t.deepEqual(new Set(switchable.calls.map(({ call }) => call)), new Set(["list"]));
  }
});

test("a store without streams costs a sync the requests that it cost without them", async (t) => {
  const sync = new Syncing();
  await forgeFull(sync.source, { time: 1000, revision: 9 });
  await sync.run();
  await sync.run();
  for (const { switchable } of Object.values(sync.sites)) switchable.calls.length = 0;
  await sync.run();
  for (const { switchable } of Object.values(sync.sites)) {
    t.deepEqual(switchable.calls, [{ call: "list", key: "" }]);
  }
});

test("the lag counts the deltas that could not be copied, from the oldest on", async (t) => {
  const sync = new Syncing();
  const stream = await forgeStream(sync.source, { first: 5, time: 2000, lengths: [1, 1, 1] });
  const last = stream.deltas[2];
  if (last === undefined) throw new Error("no delta");
  const other = forgedDelta(stream.id, 2, randomBytes(7));
  await sync.target.put(`${stream.name.text}/${deltaName(last)}`, other);
  const { lag, failed } = await sync.run();
  t.is(failed, 1);
  t.deepEqual(sync.notCopied, [`${stream.name.text} SNAPSHOT_CONFLICT`]);
  // The others are there: what is counted is what was missing before, until the stream is whole.
  t.is(lag.deltas, 2);
  t.is(lag.since, new Date((stream.deltas[0]?.time ?? 0) * 1000).toISOString());
  t.is((await sync.run()).lag.deltas, 0);
});

test("streams that the target's retention would delete are not copied", async (t) => {
  const sync = new Syncing();
  const old = await forgeStream(sync.source, { first: 2, time: 1000 });
  const newest = await forgeStream(sync.source, { first: 5, time: 2000 });
  const wanted = (_: unknown, streams: readonly { readonly name: { readonly text: string } }[]) =>
    new Set(streams.map(({ name }) => name.text).filter((name) => name !== old.name.text));
  const { lag } = await sync.run(false, { wanted });
  t.deepEqual(sync.copied, [newest.name.text]);
  t.is(lag.deltas, 0);
});

test("a mirror deletes a stream that is gone from the source when it is old, after the grace period, the newest delta first", async (t) => {
  const sync = new Syncing();
  await forgeFull(sync.source, { time: 900, revision: 1 });
  const old = await forgeStream(sync.source, { first: 2, time: 1000, base: 30 });
  const lengths = Array.from({ length: 20 }, () => 1);
  const recent = await forgeStream(sync.source, {
    first: 5,
    time: 2900,
    base: 30,
    lengths,
    every: 2,
  });
  const newest = await forgeStream(sync.source, {
    first: 25,
    time: 2940,
    base: 30,
    lengths,
    every: 2,
  });
  await sync.run(true);
  for (const one of [old, recent, newest]) await remove(sync.source, one);
  await sync.run(true);
  t.deepEqual(sync.deleted, []);
  sync.nowMs += GRACE_MS;
  sync.held.add(old.name.text);
  await sync.run(true);
  t.deepEqual(sync.deleted, []);
  sync.held.clear();
  const { switchable } = sync.sites.target;
  switchable.calls.length = 0;
  const { deleted } = await sync.run(true);
  t.is(deleted, 1);
  t.deepEqual(sync.deleted, [old.name.text]);
  const gone = switchable.keysOf("delete").filter((key) => key.startsWith(old.name.text));
  t.deepEqual(
    gone.slice(0, 4).map((key) => key.split("/")[1]),
    [...old.deltas.map(deltaName).toReversed(), "MANIFEST.json"],
  );
  const left = (await listStreams(sync.target, signal)).map(({ name }) => name.text);
  t.deepEqual(left, [recent.name.text, newest.name.text]);
});

test("a mirror keeps a backup that the deltas in the target need", async (t) => {
  const sync = new Syncing();
  const base = await forgeFull(sync.source, { time: 1000, revision: 9 });
  await forgeFull(sync.source, { time: 2000, revision: 90 });
  const stream = await forgeStream(sync.source, { first: 10, time: 1100 });
  await sync.run(true);
  for (const key of [...sync.source.objects.keys()]) {
    if (key.startsWith(`${base.name}/`)) await sync.source.delete(key);
  }
  await sync.run(true);
  sync.nowMs += GRACE_MS;
  await sync.run(true);
  t.deepEqual(sync.deleted, []);
  await remove(sync.source, stream);
  await forgeStream(sync.source, { first: 91, time: 9000 });
  await sync.run(true);
  sync.nowMs += GRACE_MS;
  await sync.run(true);
  // The first deltas after a pause make none too old.
  t.deepEqual(sync.deleted, []);
  const lengths = Array.from({ length: 60 }, () => 1);
  await forgeStream(sync.source, { first: 94, time: 9030, lengths });
  await sync.run(true);
  t.deepEqual(sync.deleted, [stream.name.text, base.name]);
});

test("a stream that goes from the source while it is copied is no failure", async (t) => {
  const sync = new Syncing();
  const stream = await forgeStream(sync.source, { first: 5, time: 2000 });
  const { switchable } = sync.sites.source;
  switchable.before = async (call) => {
    if (call === "get") await remove(sync.source, stream);
  };
  const { failed } = await sync.run();
  t.is(failed, 0);
  t.deepEqual(sync.notCopied, []);
});

type Step =
  /** A new stream, with a base or without. */
  | { do: "stream"; base: boolean; seconds: number }
  /** Deltas of the newest stream, at both stores or at the source alone. */
  | { do: "deltas"; count: number; both: boolean; seconds: number }
  /** Deletes the oldest stream of the source, perhaps interrupted. */
  | { do: "retire"; failAt: number | undefined }
  | { do: "lose"; which: number }
  | { do: "hold"; which: number }
  | { do: "sync"; mirror: boolean; failures: number; seed: number; laterMs: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("stream" as const),
      base: fc.boolean(),
      seconds: fc.nat(900),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("deltas" as const),
      count: fc.integer({ min: 1, max: 12 }),
      both: fc.boolean(),
      seconds: fc.nat(100),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("retire" as const),
      failAt: fc.option(fc.nat(8), { nil: undefined }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("lose" as const), which: fc.nat(5) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("hold" as const), which: fc.nat(5) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("sync" as const),
      mirror: fc.boolean(),
      failures: fc.constantFrom(0, 0, 20, 50),
      seed: fc.nat(),
      laterMs: fc.constantFrom(0, 60, 120),
    }),
  },
);

class History extends Syncing {
  #seconds = 1_000_000;
  #revision = 1;
  #newest: ForgedStream | undefined;
  #count = 0;
  deletions = 0;
  failures = 0;

  async apply(one: Step): Promise<void> {
    switch (one.do) {
      case "stream": {
        this.#seconds += 1 + one.seconds;
        const options = { first: this.#revision + 1, time: this.#seconds, lengths: [] };
        this.#newest = await forgeStream(this.source, {
          ...options,
          ...(one.base && { base: 20 }),
        });
        this.#count = 0;
        return;
      }
      case "deltas":
        for (let i = 0; i < one.count; i++) await this.#delta(one);
        return;
      case "retire": {
        // The newest is written to.
        const [oldest, ...newer] = await listStreams(this.source, signal);
        const isOld = oldest !== undefined && newer.length > 0;
        if (isOld && oldest.gaps.length === 0) await this.#delete(oldest.name, one.failAt);
        return;
      }
      case "lose": {
        const all = await listStreams(this.source, signal);
        const lost = all[one.which % Math.max(1, all.length)];
        for (const key of [...this.source.objects.keys()]) {
          if (lost !== undefined && key.startsWith(`${lost.name.text}/`))
            await this.source.delete(key);
        }
        return;
      }
      case "hold": {
        const all = await listStreams(this.target, signal);
        const held = all[one.which % Math.max(1, all.length)];
        if (held !== undefined) this.held.add(held.name.text);
        return;
      }
      case "sync":
        return await this.sync(one);
    }
  }

  async #delta({ both, seconds }: Extract<Step, { do: "deltas" }>): Promise<void> {
    const stream = this.#newest;
    if (stream === undefined) return;
    this.#seconds += seconds;
    const number = this.#count++;
    const first = ++this.#revision;
    const name = deltaName({ number, first, last: first, time: this.#seconds });
    const bytes = forgedDelta(stream.id, number, randomBytes(20));
    await this.source.put(`${stream.name.text}/${name}`, bytes);
    if (both) await this.target.put(`${stream.name.text}/${name}`, bytes);
  }

  async #delete(name: ForgedStream["name"], failAt: number | undefined): Promise<void> {
    const faulty = new SwitchableStore(this.source);
    let deletions = 0;
    faulty.before = (call) => {
      if (call === "delete" && deletions++ === failAt) {
        throw new StoreError("STORE_FAILED", "as the test wants", { store: "test" });
      }
    };
    try {
      await deleteStream(faulty, name, { dryRun: false, signal });
    } catch (error) {
      if (!(error instanceof BackupToolError)) throw error;
      const left = (await listStreams(this.source, signal)).find(
        (one) => one.name.text === name.text,
      );
      if (left !== undefined && left.gaps.length > 0) {
        throw new Error(`${name.text} has a gap after an interrupted deletion`);
      }
    }
  }

  async sync({ mirror, failures, seed, laterMs }: Extract<Step, { do: "sync" }>): Promise<void> {
    this.nowMs += laterMs;
    const before = contentOf(this.target);
    const choose = random(seed);
    for (const { switchable } of Object.values(this.sites)) {
      switchable.before = () => {
        if (choose(100) >= failures) return;
        throw new StoreError("STORE_TRANSIENT", "as the test wants", { store: switchable.name });
      };
    }
    try {
      await this.run(mirror);
    } catch (error) {
      if (!(error instanceof SyncError) || failures === 0) throw error;
      this.failures++;
    }
    for (const { switchable } of Object.values(this.sites)) switchable.before = () => {};
    this.#check(before, mirror);
  }

  #check(before: ReadonlyMap<string, string>, mirror: boolean): void {
    const after = contentOf(this.target);
    const source = contentOf(this.source);
    for (const [key, bytes] of after) {
      const was = before.get(key) ?? source.get(key);
      if (was !== bytes) throw new Error(`${key} is neither what it was nor the source's`);
    }
    // Copies come before deletions.
    const newest = Math.max(...[...before.keys(), ...after.keys()].map(timeOf));
    for (const key of before.keys()) {
      if (after.has(key)) continue;
      const [folder = ""] = key.split("/");
      if (!mirror) throw new Error(`${key} is gone without a mirror`);
      if (this.held.has(folder)) throw new Error(`${key} was held`);
      if ([...source.keys()].some((other) => other.startsWith(`${folder}/`))) {
        throw new Error(`${folder} is in the source`);
      }
      const end = Math.max(
        ...[...before.keys()].filter((other) => other.startsWith(`${folder}/`)).map(timeOf),
      );
      if (end >= newest - PERIOD_SECONDS) throw new Error(`${folder} is recent`);
      this.deletions++;
    }
  }

  async end(): Promise<void> {
    await this.sync({ do: "sync", mirror: false, failures: 0, seed: 0, laterMs: 0 });
    const after = contentOf(this.target);
    const source = contentOf(this.source);
    for (const key of source.keys()) {
      const [folder = "", file = ""] = key.split("/");
      // Of a base without a manifest only the left-overs of a deletion are there.
      if (!file.startsWith("DELTA") && !source.has(`${folder}/MANIFEST.json`)) continue;
      if (!after.has(key)) throw new Error(`${key} is missing at the end`);
    }
  }
}

/** Of a delta, or of the start of its stream, seconds. */
function timeOf(key: string): number {
  const [folder = "", file = ""] = key.split("/");
  return Math.max(parseDeltaName(file)?.time ?? 0, Number(folder.split("-")[2] ?? 0));
}

/** Numbers below a limit, by seed. */
function random(seed: number): (limit: number) => number {
  let state = seed >>> 0;
  return (limit) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}

const SYNC = { do: "sync", failures: 0, seed: 0 } as const;
/** Makes all streams but a new one too old, and lets the source lose them. */
const ENDING: readonly Step[] = [
  { ...SYNC, mirror: false, laterMs: 0 },
  { do: "stream", base: true, seconds: 1 },
  { do: "deltas", count: 30, both: false, seconds: 10 },
  ...Array.from({ length: 8 }, () => ({ do: "retire", failAt: undefined }) as const),
  ...Array.from({ length: 2 }, () => ({ ...SYNC, mirror: true, laterMs: 120 })),
];

test("no history of streams, losses, faults and syncs loses a delta that is wanted, or changes one", async (t) => {
  let deletions = 0;
  let failures = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 5, maxLength: 40, size: "max" }),
      async (steps) => {
        const history = new History();
        // So that the source has a snapshot, without which a mirror deletes nothing.
        await forgeFull(history.source, { time: 1, revision: 1 });
        for (const one of [...steps, ...ENDING]) await history.apply(one);
        await history.end();
        deletions += history.deletions;
        failures += history.failures;
      },
    ),
    { numRuns: Number(process.env["BACKUPTOOL_TEST_ROUNDS"] ?? 40), includeErrorInReport: true },
  );
  t.log({ deletions, failures });
  t.true(deletions > 0 && failures > 0);
});
