import { createHash } from "node:crypto";
import { setMaxListeners } from "node:events";
import test from "ava";
import fc from "fast-check";
import { encodeManifest, type Manifest } from "../../../src/archive/manifest/manifest.js";
import { BackupToolError, NotLeaderError } from "../../../src/errors.js";
import type { OperationEvent } from "../../../src/operations/events.js";
import { pruneStore } from "../../../src/operations/snapshots/retention.js";
import { PinnedBase } from "../../../src/operations/create/pinned-base.js";
import {
  findSnapshot,
  listSnapshots,
  newestName,
  type StoredSnapshot,
} from "../../../src/snapshots/catalog.js";
import { checkBases } from "../../../src/snapshots/chain.js";
import { deletePlanned } from "../../../src/snapshots/control/delete-planned.js";
import { claimName } from "../../../src/snapshots/control/name-claim.js";
import { checkNotPinned } from "../../../src/snapshots/control/pins.js";
import { checkNotNeeded } from "../../../src/snapshots/delete.js";
import { finishSnapshot } from "../../../src/snapshots/finish.js";
import { manifestKey } from "../../../src/snapshots/manifest.js";
import { snapshotName } from "../../../src/snapshots/name.js";
import { GuardedStore, type WriteGuard } from "../../../src/snapstore/layers/guarded.js";
import type { SnapStore } from "../../../src/snapstore/store.js";
import { PausedStore } from "../../support/stores/paused-store.js";

const { signal } = new AbortController();
setMaxListeners(0, signal);
/** All backups want the same second. */
const FIRST_TIME = 1_700_000_000;
const FILES = ["ARCHIVE00000.bin", "INDEX.bin", "METADATA.bin"];
const PROCESSES = ["full", "incremental", "retention", "delete"] as const;

interface Run {
  readonly kind: (typeof PROCESSES)[number];
  /** Index of the leader that runs it; by hand, without a leader. */
  readonly leader: number | "none";
  /** Which snapshot a deletion by hand takes. */
  readonly pick: number;
}

const leaders = fc.constantFrom(0, 1, 2, "none" as const);
const run = (...kinds: Run["kind"][]): fc.Arbitrary<Run> =>
  fc.record({ kind: fc.constantFrom(...kinds), leader: leaders, pick: fc.nat(5) });

const histories = fc.record({
  scheduler: fc.scheduler(),
  atomicIfAbsent: fc.boolean(),
  before: fc.array(fc.constantFrom("full" as const, "incremental" as const), { maxLength: 3 }),
  runs: fc.oneof(
    fc.array(run(...PROCESSES), { minLength: 2, maxLength: 5 }),
    fc.tuple(run("incremental"), run("delete")),
    fc.tuple(run("incremental"), run("full"), run("retention")),
  ),
  /** Numbers of the writes whose answers are lost. */
  lost: fc.uniqueArray(fc.nat(80), { maxLength: 2 }),
  /** Which call waits for how many calls of others. */
  pauses: fc.array(fc.record({ call: fc.nat(250), calls: fc.nat(120) }), { maxLength: 3 }),
});

interface Disturbances {
  readonly lost: readonly number[];
  readonly pauses: readonly { readonly call: number; readonly calls: number }[];
}

/** A store, the processes that use it, and what must hold after each change. */
class World {
  readonly store: PausedStore;
  readonly problems: string[] = [];
  readonly #made = new Set<string>();
  readonly #chosen = new Set<string>();
  readonly #writers = new Map<string, string>();
  readonly #trace: string[] = [];
  #writes = 0;
  #calls = 0;
  #time = FIRST_TIME * 1000;
  #ids = 0;
  #leader = 0;
  #wasComplete = false;
  byHand = false;

  constructor(scheduler: fc.Scheduler, atomicIfAbsent: boolean, { lost, pauses }: Disturbances) {
    const step = async (label: string): Promise<void> => {
      const number = this.#calls++;
      const { calls = 0 } = pauses.find(({ call }) => call === number) ?? {};
      for (let i = 0; i < calls; i++) await scheduler.schedule(Promise.resolve(), "pause");
      await scheduler.schedule(Promise.resolve(), label);
    };
    this.store = new PausedStore({
      atomicIfAbsent,
      step,
      losesAnswer: () => lost.includes(this.#writes++),
      onChange: (label) => this.#check(label),
      now: () => this.#time++,
    });
  }

  /** The next leader begins; the one before knows by its own clock that it does not lead any more. */
  handOver(): void {
    this.#leader++;
    this.#trace.push(`leader ${this.#leader}`);
  }

  guardOf(leader: number): WriteGuard {
    const check = (): void => {
      if (this.#leader !== leader) throw new NotLeaderError("another one leads");
    };
    return { check, confirm: async () => check() };
  }

  async leads(leader: number, wait: () => Promise<void>): Promise<boolean> {
    for (let waits = 0; this.#leader < leader && waits < 200; waits++) await wait();
    return this.#leader === leader;
  }

  async make(kind: "full" | "incremental", store: SnapStore): Promise<void> {
    const id = String(++this.#ids).padStart(32, "0");
    let pinned: PinnedBase | undefined;
    try {
      let base: StoredSnapshot | undefined;
      if (kind === "incremental") {
        base = await findSnapshot(store, "latest", signal);
        pinned = await PinnedBase.pin(store, base.name.text, signal);
        await pinned.checkChain(await checkBases(store, base, signal), signal);
      }
      const claim = await claimName(store, {
        firstTime: async () => {
          const newest = await newestName(store, signal);
          return Math.max(FIRST_TIME, (newest?.time ?? 0) + 1);
        },
        nameAt: (time) => snapshotName({ kind, firstRevision: 0, lastRevision: 0, time }),
        random: () => 0,
        signal,
      });
      const snapshot = claim.name.text;
      const other = this.#writers.get(snapshot);
      if (other !== undefined) this.problems.push(`${snapshot} was used by ${other} and ${id}`);
      this.#writers.set(snapshot, id);
      const files = [];
      for (const name of FILES) {
        const bytes = contentOf(id, name);
        await store.put(`${snapshot}/${name}`, bytes, { ifAbsent: true, signal });
        const sha256 = createHash("sha256").update(bytes).digest("hex");
        files.push({ name, size: bytes.length, sha256 });
      }
      await pinned?.checkBeforeManifest(signal);
      const at = new Date(FIRST_TIME * 1000).toISOString();
      const manifest: Manifest = {
        format: 1,
        id,
        kind,
        base: base?.facts?.id ?? null,
        startedAt: at,
        finishedAt: at,
        files,
      };
      const options = { files, manifest: Buffer.from(encodeManifest(manifest)), signal, lateMs: 0 };
      await finishSnapshot(store, snapshot, options);
      this.#made.add(snapshot);
      pinned?.complete();
      await claim.remove();
    } finally {
      await pinned?.release();
    }
  }

  /** Keeps the newest chain and the newest full backup, by the rules themselves. */
  async retain(store: SnapStore, guard: WriteGuard | undefined): Promise<void> {
    // No name is in the future, and a pin alone says that an incremental is being made.
    const now = new Date(this.#time + 3_600_000);
    const options = {
      policy: { kind: "limit-based", maxBackups: 1 },
      timeZone: "UTC",
      now,
      inProgressSince: now,
      dryRun: false,
    } as const;
    const report = (event: OperationEvent): void => {
      if (event.type === "retention-decision" && !event.keep) this.#choose([event.snapshot]);
    };
    await pruneStore(store, options, { signal, report, guard });
  }

  async delete(store: SnapStore, guard: WriteGuard | undefined, pick: number): Promise<void> {
    this.byHand = true;
    const all = await listSnapshots(store, signal);
    const target = all[pick % Math.max(1, all.length)];
    if (target === undefined) return;
    await deletePlanned(store, [target], {
      waitMs: 0,
      guard,
      signal,
      recheck: async ({ pinned }) => {
        const now = await listSnapshots(store, signal);
        checkNotNeeded(target, now);
        checkNotPinned(target, now, pinned);
        return this.#choose([target.name.text]);
      },
      onDeleted: () => {},
      onFailed: () => {},
    });
  }

  /** What must hold at the end, when no call is under way. */
  finish(): void {
    this.#check("end");
    for (const name of this.#made) {
      if (!this.#chosen.has(name) && !this.#whole.has(name)) this.#fail(`${name} is lost`);
    }
  }

  #choose(names: readonly string[]): Set<string> {
    for (const name of names) this.#chosen.add(name);
    return new Set(names);
  }

  /** Ids by name of the snapshots that a reader takes for complete: all files are there in their size. */
  get #whole(): Map<string, Manifest> {
    const found = new Map<string, Manifest>();
    for (const [key, { bytes }] of this.store.objects) {
      const [snapshot = "", file] = key.split("/");
      if (file === undefined || key !== manifestKey(snapshot)) continue;
      const manifest: Manifest = JSON.parse(bytes.toString());
      const isThere = ({ name, size }: { name: string; size: number }): boolean =>
        this.store.objects.get(`${snapshot}/${name}`)?.bytes.length === size;
      if (manifest.files.every(isThere)) found.set(snapshot, manifest);
    }
    return found;
  }

  #check(label: string): void {
    this.#trace.push(label);
    const whole = this.#whole;
    const ids = new Set([...whole.values()].map(({ id }) => id));
    for (const [snapshot, { id, base, files }] of whole) {
      if (base !== null && !ids.has(base)) this.#fail(`${snapshot} has lost its base ${base}`);
      for (const { name } of files) {
        const bytes = this.store.objects.get(`${snapshot}/${name}`)?.bytes;
        if (!bytes?.equals(contentOf(id, name))) this.#fail(`${snapshot}/${name} is another's`);
      }
    }
    if (whole.size > 0) this.#wasComplete = true;
    else if (this.#wasComplete && !this.byHand) this.#fail("no snapshot is left");
  }

  #fail(problem: string): void {
    this.problems.push(`${problem}, after:\n${this.#trace.join("\n")}`);
  }
}

/** The same size for all backups, so that no length gives away what was overwritten. */
function contentOf(id: string, file: string): Buffer {
  return Buffer.from(`${file} of ${id}`);
}

test("whatever is paused, cut off or late: no snapshot is lost or mixed, and no base deleted under an incremental", async (t) => {
  let completed = 0;
  await fc.assert(
    fc.asyncProperty(
      histories,
      async ({ scheduler, atomicIfAbsent, before, runs, ...disturbances }) => {
        const world = new World(scheduler, atomicIfAbsent, disturbances);
        const wait = (): Promise<void> =>
          scheduler.schedule(Promise.resolve(), "wait").then(() => {});
        const start = async ({ kind, leader, pick }: Run): Promise<void> => {
          let guard: WriteGuard | undefined;
          if (leader !== "none") {
            if (!(await world.leads(leader, wait))) return;
            guard = world.guardOf(leader);
          }
          const store = guard === undefined ? world.store : new GuardedStore(world.store, guard);
          if (kind === "retention") await world.retain(store, guard);
          else if (kind === "delete") await world.delete(store, guard, pick);
          else await world.make(kind, store);
          completed++;
        };
        const expected = async (work: Promise<void>): Promise<void> => {
          try {
            await work;
          } catch (error) {
            if (!(error instanceof BackupToolError)) throw error;
          }
        };
        for (const kind of before) {
          await scheduler.waitFor(expected(world.make(kind, world.store)));
        }
        const handOvers = async (): Promise<void> => {
          for (let i = 0; i < 2; i++) {
            for (let waits = 0; waits < 15; waits++) await wait();
            world.handOver();
          }
        };
        const all = Promise.all([handOvers(), ...runs.map((run) => expected(start(run)))]);
        await scheduler.waitFor(all);
        await scheduler.waitIdle();
        world.finish();
        if (world.problems.length > 0) throw new Error(world.problems[0]);
      },
    ),
    { numRuns: Number(process.env["BACKUPTOOL_TEST_ROUNDS"] ?? 300), includeErrorInReport: true },
  );
  t.true(completed > 100);
});
