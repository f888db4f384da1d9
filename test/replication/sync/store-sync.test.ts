import { appendFileSync, cpSync, existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { InterruptedError, NotLeaderError } from "../../../src/errors.js";
import { copyRetryPolicy } from "../../../src/replication/copy/retries.js";
import type { PlannedDeletion } from "../../../src/replication/sync/mirror.js";
import type { MirrorRules } from "../../../src/replication/sync/mirror-plan.js";
import { StoreSync } from "../../../src/replication/sync/store-sync.js";
import type { SyncSettings } from "../../../src/replication/sync/sync-run.js";
import { SyncError } from "../../../src/replication/sync/sync-error.js";
import { CachedCatalog } from "../../../src/snapshots/cached-catalog.js";
import { deleteSnapshot } from "../../../src/snapshots/delete.js";
import { StoreError } from "../../../src/snapstore/errors.js";
import { RetryingStore } from "../../../src/snapstore/layers/retrying.js";
import { LocalStore } from "../../../src/snapstore/local/store.js";
import { newFolder } from "../../support/folders.js";
import { type ForgedSnapshot, forgeSnapshot } from "../../support/stores/forged-snapshots.js";
import { SwitchableStore } from "../../support/stores/switchable-store.js";

const RETRIES = { maxRetries: 3, backoffMs: 1 };
const LARGE: MirrorRules = { maxDeleteFraction: 1, graceMs: 0 };

/** Two stores in folders, and syncs from one to the other. */
class Syncing {
  readonly from = newFolder();
  readonly to = newFolder();
  readonly source = new SwitchableStore(storeIn(this.from));
  readonly target = new SwitchableStore(storeIn(this.to));
  readonly held = new Set<string>();
  readonly pinned = new Set<string>();
  /** What the last run reported. */
  events: string[] = [];
  /** Called when a deletion has been announced. */
  announced: () => void | Promise<void> = () => {};
  /** The clock of grace periods, ms. */
  now = 0;
  #sync: StoreSync;
  readonly #target: RetryingStore;
  readonly #newSync: () => StoreSync;

  constructor() {
    const policy = copyRetryPolicy(RETRIES);
    const site = (store: SwitchableStore) => {
      const retrying = new RetryingStore(store, policy);
      return { store: retrying, catalog: new CachedCatalog(retrying) };
    };
    const target = site(this.target);
    this.#target = target.store;
    this.#newSync = () => new StoreSync(site(this.source), target, () => this.now);
    this.#sync = this.#newSync();
  }

  /** What the sync has in memory is lost. */
  restart(): void {
    this.#sync = this.#newSync();
  }

  async run(more: Partial<SyncSettings> & { rules?: MirrorRules } = {}) {
    const { rules, ...settings } = more;
    this.events = [];
    this.source.calls.length = 0;
    this.target.calls.length = 0;
    return await this.#sync.run(
      {
        maxParallelCopies: 2,
        minChunkBytes: 5 << 20,
        maxParallelChunks: 2,
        retries: RETRIES,
        signal: new AbortController().signal,
        keepBase: (_store, _base, copy) => copy(async () => {}),
        held: async () => this.held,
        mirror: rules && { rules, remove: this.#remove },
        ...settings,
      },
      {
        onListed: async () => {},
        onPlanned: ({ copy }, mirror, lag) =>
          this.events.push(
            `plan ${copy.length} ${mirror?.refusal ?? mirror?.due.length ?? 0} lag ${lag.snapshots}`,
          ),
        onBegin: () => {},
        onProgress: () => {},
        onCopied: (snapshot, { outcome }) => this.events.push(`${outcome} ${snapshot}`),
        onNotCopied: (snapshot, { code }, side) =>
          this.events.push(`not copied ${snapshot} ${code} ${side ?? ""}`.trim()),
        onRefused: (refusal) => this.events.push(`refused ${refusal}`),
        onDeleted: ({ text }) => this.events.push(`deleted ${text}`),
        onNotDeleted: (name, { code }) =>
          this.events.push(`not deleted ${name?.text ?? "any"} ${code}`),
      },
    );
  }

  forge(options: Parameters<typeof forgeSnapshot>[1]): ForgedSnapshot {
    return forgeSnapshot(this.from, options);
  }

  remove({ name }: ForgedSnapshot): void {
    rmSync(join(this.from, name), { recursive: true });
  }

  has({ name }: ForgedSnapshot): boolean {
    return existsSync(join(this.to, name, "MANIFEST.json"));
  }

  /** Whether the target has the same files. */
  same({ name, folder }: ForgedSnapshot): boolean {
    const copy = join(this.to, name);
    const files = readdirSync(folder).sort();
    if (!existsSync(copy) || files.join() !== readdirSync(copy).sort().join()) return false;
    return files.every((file) =>
      readFileSync(join(folder, file)).equals(readFileSync(join(copy, file))),
    );
  }

  readonly #remove: PlannedDeletion = async ({ snapshots }, { recheck, onDeleted, onFailed }) => {
    await this.announced();
    const still = await recheck({ pinned: this.pinned });
    const { signal } = new AbortController();
    for (const { name } of snapshots.filter(({ name }) => still.has(name.text))) {
      try {
        onDeleted(name, await deleteSnapshot(this.#target, name.text, { dryRun: false, signal }));
      } catch (error) {
        if (!(error instanceof StoreError)) throw error;
        onFailed(name, error);
      }
    }
  };
}

function storeIn(container: string): LocalStore {
  return new LocalStore({ provider: "Local", container, prefix: "" });
}

function failure(code: StoreError["code"]): StoreError {
  return new StoreError(code, "as the test wants", { store: "test" });
}

/** A full backup, an incremental over it, and another full one. */
function history(syncing: Syncing) {
  const full = syncing.forge({ time: 1000, last: 9 });
  const over = syncing.forge({ time: 2000, first: 10, last: 12, base: full });
  const newer = syncing.forge({ time: 3000, last: 20 });
  return { full, over, newer };
}

const only = (events: readonly string[], start: string) =>
  events.filter((event) => event.startsWith(start));

test("a sync copies what is missing, and a second one makes listing requests alone", async (t) => {
  const syncing = new Syncing();
  const { full, over, newer } = history(syncing);
  const first = await syncing.run();
  t.like(first, { copied: 3, failed: 0, conflicts: 0, deleted: 0 });
  t.deepEqual(first.lag, { snapshots: 0, deltas: 0, bytes: 0, seconds: 0 });
  for (const one of [full, over, newer]) t.true(syncing.same(one));
  t.deepEqual(syncing.events[0], "plan 3 0 lag 3");
  // The copies are new in the listing of the target.
  await syncing.run();
  t.like(await syncing.run(), { copied: 0, present: 0, failed: 0 });
  t.deepEqual(syncing.source.calls, [{ call: "list", key: "" }]);
  t.deepEqual(syncing.target.calls, [{ call: "list", key: "" }]);
});

test("a damaged snapshot of the target is repaired", async (t) => {
  const syncing = new Syncing();
  const { full } = history(syncing);
  await syncing.run();
  for (const spoil of [
    () => rmSync(join(syncing.to, full.name, "INDEX.bin")),
    () => rmSync(join(syncing.to, full.name, "MANIFEST.json")),
    () => appendFileSync(join(syncing.to, full.name, "MANIFEST.json"), " "),
  ]) {
    spoil();
    const { copied, repaired } = await syncing.run();
    t.is(copied + repaired, 1);
    t.true(syncing.same(full));
  }
});

test("another complete backup of the same name is reported, and neither replaced nor based upon", async (t) => {
  const syncing = new Syncing();
  const { full, over, newer } = history(syncing);
  const other = forgeSnapshot(syncing.to, { time: 1000, last: 9 });
  for (let round = 0; round < 2; round++) {
    const totals = await syncing.run();
    t.like(totals, { failed: 0, conflicts: 2 });
    t.like(totals.lag, { snapshots: 2 });
    t.deepEqual(only(syncing.events, "not copied"), [
      `not copied ${full.name} SNAPSHOT_CONFLICT`,
      `not copied ${over.name} NO_BASE`,
    ]);
  }
  t.true(syncing.same(newer));
  t.false(syncing.has(over));
  const manifest = readFileSync(join(syncing.to, full.name, "MANIFEST.json"), "utf8");
  t.true(manifest.includes(other.id));
});

test("another backup that completes in the target meanwhile is not replaced", async (t) => {
  const syncing = new Syncing();
  const full = syncing.forge({ time: 1000 });
  const other = forgeSnapshot(newFolder(), { time: 1000 });
  let heads = 0;
  syncing.target.before = (call, key) => {
    // The listings have passed: now the copy asks whether the target has it.
    if (call !== "head" || !key.endsWith("MANIFEST.json") || heads++ > 0) return;
    cpSync(other.folder, join(syncing.to, full.name), { recursive: true });
  };
  const totals = await syncing.run();
  t.deepEqual(only(syncing.events, "not copied"), [`not copied ${full.name} SNAPSHOT_CONFLICT`]);
  t.like(totals, { copied: 0, repaired: 0, failed: 1 });
  const manifest = readFileSync(join(syncing.to, full.name, "MANIFEST.json"), "utf8");
  t.true(manifest.includes(other.id));
});

test("a chain that is deleted from the source meanwhile is no failure", async (t) => {
  for (const [call, file, times] of [
    // After the listing has read it.
    ["get", "MANIFEST.json", 2],
    ["get", "ARCHIVE00000.bin", 1],
    ["get", "METADATA.bin", 1],
  ] as const) {
    const syncing = new Syncing();
    const { full, over, newer } = history(syncing);
    let calls = 0;
    syncing.source.before = (made, key) => {
      if (made !== call || key !== `${full.name}/${file}` || ++calls !== times) return;
      for (const one of [over, full]) syncing.remove(one);
    };
    const totals = await syncing.run();
    t.is(calls, times);
    t.like(totals, { copied: 1, failed: 0 }, syncing.events.join("; "));
    t.is(totals.lag.snapshots, 0);
    t.deepEqual(only(syncing.events, "not copied"), []);
    t.true(syncing.same(newer));
    t.false(syncing.has(full));
  }
});

test("one snapshot that cannot be read does not stop the others, and the store is asked", async (t) => {
  const syncing = new Syncing();
  const { full, over, newer } = history(syncing);
  syncing.source.before = (call, key) => {
    if (call === "get" && key === `${full.name}/ARCHIVE00000.bin`) throw failure("STORE_TRANSIENT");
  };
  const totals = await syncing.run();
  t.like(totals, { copied: 1, failed: 2 });
  t.like(totals.lag, { snapshots: 2 });
  t.deepEqual(only(syncing.events, "not copied"), [
    `not copied ${full.name} STORE_TRANSIENT source`,
    `not copied ${over.name} NO_BASE`,
  ]);
  t.true(syncing.same(newer));
});

/** Makes every call of a store fail once `begins` says so. */
function fail(
  store: SwitchableStore,
  begins: (call: string, key: string) => boolean,
  code: StoreError["code"] = "STORE_TRANSIENT",
): void {
  let down = false;
  store.before = (call, key) => {
    down ||= begins(call, key);
    if (down) throw failure(code);
  };
}

test("a store that cannot be listed ends the sync with an error that names its side", async (t) => {
  for (const side of ["source", "target"] as const) {
    const syncing = new Syncing();
    history(syncing);
    fail(syncing[side], () => true, "STORE_CREDENTIALS");
    const error = await t.throwsAsync(syncing.run({ rules: LARGE }), { instanceOf: SyncError });
    t.like(error, { side, store: syncing[side].name, code: "STORE_CREDENTIALS", lag: undefined });
    t.deepEqual(syncing.events, []);
  }
});

test("a store that fails in the middle ends the sync, with its side and what is missing", async (t) => {
  for (const [side, call] of [
    ["source", "get"],
    ["target", "put"],
  ] as const) {
    const syncing = new Syncing();
    const made = Array.from({ length: 30 }, (_, i) => syncing.forge({ time: 1000 + i }));
    let files = 0;
    fail(syncing[side], (made, key) => made === call && key.includes("ARCHIVE") && ++files > 10);
    const error = await t.throwsAsync(syncing.run({ rules: LARGE }), { instanceOf: SyncError });
    t.like(error, { side, store: syncing[side].name, code: "STORE_TRANSIENT" });
    const copied = only(syncing.events, "copied").length;
    t.is(error?.lag?.snapshots, 30 - copied);
    t.true(copied >= 8 && copied <= 10, `${copied} copied`);
    t.true(only(syncing.events, "not copied").length <= 3, syncing.events.join("; "));
    // Once it is back, the rest follows.
    syncing[side].before = () => {};
    const { failed, lag } = await syncing.run();
    t.deepEqual([failed, lag.snapshots], [0, 0]);
    for (const one of made) t.true(syncing.same(one));
  }
});

test("a target that fails while a base is kept for an incremental is named", async (t) => {
  const syncing = new Syncing();
  history(syncing);
  const keepBase: SyncSettings["keepBase"] = async (target, base, copy) => {
    fail(syncing.target, () => true);
    await target.put(`pin-on-${base}`, Buffer.of(1));
    return await copy(async () => {});
  };
  const error = await t.throwsAsync(syncing.run({ keepBase }), { instanceOf: SyncError });
  t.like(error, { side: "target", code: "STORE_TRANSIENT" });
});

test("a full target ends the sync", async (t) => {
  const syncing = new Syncing();
  for (let i = 0; i < 10; i++) syncing.forge({ time: 1000 + i });
  syncing.target.before = (call) => {
    if (call === "put") throw failure("STORE_FULL");
  };
  const error = await t.throwsAsync(syncing.run(), { instanceOf: SyncError });
  t.like(error, { side: "target", code: "STORE_FULL" });
});

test("a target that takes no writes ends the sync after a few snapshots", async (t) => {
  const syncing = new Syncing();
  for (let i = 0; i < 20; i++) syncing.forge({ time: 1000 + i });
  syncing.target.before = (call) => {
    if (call === "put") throw failure("STORE_THROTTLED");
  };
  const error = await t.throwsAsync(syncing.run(), { instanceOf: SyncError });
  t.like(error, { side: "target", code: "STORE_THROTTLED" });
  t.true(only(syncing.events, "not copied").length <= 6);
});

test("a process that leads no more ends the sync with that error", async (t) => {
  const syncing = new Syncing();
  history(syncing);
  syncing.target.before = (call) => {
    if (call === "put") throw new NotLeaderError("as the test wants");
  };
  await t.throwsAsync(syncing.run(), { instanceOf: NotLeaderError });
});

test("an interruption ends a sync", async (t) => {
  const syncing = new Syncing();
  const { newer } = history(syncing);
  const stop = new AbortController();
  syncing.target.before = (call) => {
    if (call === "put") stop.abort();
  };
  await t.throwsAsync(syncing.run({ signal: stop.signal }), { instanceOf: InterruptedError });
  t.false(syncing.has(newer));
});

test("a damaged snapshot of the source is reported, unless the target has it whole", async (t) => {
  const syncing = new Syncing();
  const { full } = history(syncing);
  await syncing.run();
  rmSync(join(full.folder, "INDEX.bin"));
  t.like(await syncing.run(), { failed: 0 });
  t.deepEqual(only(syncing.events, "not copied"), []);
  rmSync(join(syncing.to, full.name), { recursive: true });
  await syncing.run();
  t.deepEqual(only(syncing.events, "not copied"), [`not copied ${full.name} DAMAGED source`]);
});

/** A source that has lost its first chain, and a target that has all. */
async function afterRetention(t: ExecutionContext, syncing: Syncing) {
  const made = history(syncing);
  t.like(await syncing.run(), { copied: 3 });
  for (const one of [made.over, made.full]) syncing.remove(one);
  return made;
}

test("a mirror deletes what has gone from the source, and an independent target keeps it", async (t) => {
  const syncing = new Syncing();
  const { full, over, newer } = await afterRetention(t, syncing);
  t.like(await syncing.run(), { deleted: 0 });
  t.like(await syncing.run({ rules: LARGE }), { deleted: 2 });
  t.deepEqual(syncing.events, ["plan 0 2 lag 0", `deleted ${over.name}`, `deleted ${full.name}`]);
  t.true(syncing.same(newer));
});

test("a mirror waits for the grace period, also over several runs", async (t) => {
  const syncing = new Syncing();
  const { full } = await afterRetention(t, syncing);
  const rules = { ...LARGE, graceMs: 1000 };
  for (const [now, deleted] of [
    [0, 0],
    [999, 0],
  ] as const) {
    syncing.now = now;
    t.like(await syncing.run({ rules }), { deleted });
  }
  // It is there again, and its grace period begins anew.
  cpSync(join(syncing.to, full.name), full.folder, { recursive: true });
  t.like(await syncing.run({ rules }), { deleted: 0 });
  syncing.remove(full);
  syncing.now = 1000;
  t.like(await syncing.run({ rules }), { deleted: 1 });
  syncing.now = 1999;
  t.like(await syncing.run({ rules }), { deleted: 0 });
  syncing.now = 2000;
  t.like(await syncing.run({ rules }), { deleted: 1 });
});

test("a mirror deletes nothing when the source comes back empty, in part, or without its newest", async (t) => {
  const syncing = new Syncing();
  const { full, over, newer } = history(syncing);
  await syncing.run();
  const list = syncing.source.list.bind(syncing.source);
  const showing = (names: readonly ForgedSnapshot[]) => {
    syncing.source.list = async (prefix, options) => {
      const page = await list(prefix, options);
      const shown = ({ key }: { key: string }) => names.some(({ name }) => key.startsWith(name));
      return { ...page, objects: page.objects.filter(shown) };
    };
  };
  showing([]);
  t.like(await syncing.run({ rules: LARGE }), { deleted: 0 });
  t.deepEqual(only(syncing.events, "refused"), ["refused source-empty"]);
  showing([full, over]);
  t.like(await syncing.run({ rules: LARGE }), { deleted: 0 });
  t.deepEqual(only(syncing.events, "refused"), ["refused newest-chain"]);
  showing([newer]);
  t.like(await syncing.run({ rules: { ...LARGE, maxDeleteFraction: 0.5 } }), { deleted: 0 });
  t.deepEqual(only(syncing.events, "refused"), ["refused too-many"]);
  // A listing that is late: the source has them by their names.
  t.like(await syncing.run({ rules: LARGE }), { deleted: 0 });
  t.deepEqual(syncing.events, ["plan 0 2 lag 0"]);
  for (const one of [full, over, newer]) t.true(syncing.has(one));
});

test("a source that was wiped and grows again costs none of the older copies, also after restarts", async (t) => {
  for (const maxDeleteFraction of [0.5, 1]) {
    const syncing = new Syncing();
    const old = Array.from({ length: 4 }, (_, i) => syncing.forge({ time: 1000 + i }));
    const rules = { maxDeleteFraction, graceMs: 100 };
    t.is((await syncing.run({ rules })).refusal, undefined);
    for (const one of old) syncing.remove(one);
    t.is((await syncing.run({ rules })).refusal, "source-empty");
    let base = syncing.forge({ time: 2000 });
    for (let round = 1; round <= 12; round++) {
      if (round % 3 === 0) syncing.restart();
      base = syncing.forge({ time: 2000 + round, base });
      syncing.now += 60;
      t.like(await syncing.run({ rules }), { deleted: 0, refusal: "newest-chain" });
      t.deepEqual(only(syncing.events, "refused"), ["refused newest-chain"]);
      t.true(syncing.has(base));
    }
    for (const one of old) t.true(syncing.has(one));
  }
});

test("a source that has lost most of its snapshots costs no copy while it grows again", async (t) => {
  const syncing = new Syncing();
  const old = Array.from({ length: 5 }, (_, i) => syncing.forge({ time: 1000 + i }));
  const rules = { maxDeleteFraction: 0.5, graceMs: 100 };
  await syncing.run({ rules });
  const lost = old.slice(0, 4);
  for (const one of lost) syncing.remove(one);
  for (let round = 1; round <= 8; round++) {
    if (round === 5) syncing.restart();
    syncing.forge({ time: 2000 + round });
    syncing.now += 60;
    t.like(await syncing.run({ rules }), { deleted: 0, refusal: "too-many" });
  }
  for (const one of lost) t.true(syncing.has(one));
  // What goes afterwards, in the way of a retention, is mirrored.
  const [, , , , last] = old;
  if (last !== undefined) syncing.remove(last);
  await syncing.run({ rules });
  syncing.now += 100;
  t.like(await syncing.run({ rules }), { deleted: 1, refusal: "too-many" });
  // A person can permit it.
  t.like(await syncing.run({ rules: { ...rules, maxDeleteFraction: 1 } }), { deleted: 4 });
  await syncing.run({ rules });
  t.deepEqual(lossesIn(syncing), []);
});

test("a loss ends when the snapshots are back, or a person has deleted them", async (t) => {
  const syncing = new Syncing();
  const old = Array.from({ length: 4 }, (_, i) => syncing.forge({ time: 1000 + i }));
  const rules = { maxDeleteFraction: 0.5, graceMs: 0 };
  await syncing.run({ rules });
  for (const one of old.slice(0, 3)) syncing.remove(one);
  t.is((await syncing.run({ rules })).refusal, "too-many");
  t.is(lossesIn(syncing).length, 1);
  const [first, ...others] = old.slice(0, 3);
  if (first === undefined) throw new Error("three were lost");
  cpSync(join(syncing.to, first.name), first.folder, { recursive: true });
  t.is((await syncing.run({ rules })).refusal, "too-many");
  for (const { name } of others) rmSync(join(syncing.to, name), { recursive: true });
  t.like(await syncing.run({ rules }), { refusal: undefined, deleted: 0 });
  t.deepEqual(lossesIn(syncing), []);
});

test("what retention has deleted within a grace period is no large loss to the next process", async (t) => {
  const syncing = new Syncing();
  const rules = { maxDeleteFraction: 0.5, graceMs: 1000 };
  const made = Array.from({ length: 3 }, (_, i) => syncing.forge({ time: 1000 + i }));
  await syncing.run({ rules });
  for (let round = 0; round < 8; round++) {
    const oldest = made[round];
    if (oldest !== undefined) syncing.remove(oldest);
    made.push(syncing.forge({ time: 2000 + round }));
    syncing.now += 60;
    if (round === 6) syncing.restart();
    t.like(await syncing.run({ rules }), { refusal: undefined, deleted: 0 });
  }
  // Eight of eleven are absent: counted from the restart, they are due together.
  syncing.now += 1000;
  t.like(await syncing.run({ rules: { ...rules, maxDeleteFraction: 0.75 } }), { deleted: 8 });
});

function lossesIn({ to }: Syncing): string[] {
  const folder = join(to, ".backuptool/losses");
  return existsSync(folder) ? readdirSync(folder) : [];
}

test("a mirror looks again before it deletes", async (t) => {
  for (const change of ["back", "held", "pinned", "down", "rolled back"] as const) {
    const syncing = new Syncing();
    const { full, over, newer } = await afterRetention(t, syncing);
    syncing.announced = () => {
      if (change === "back") cpSync(join(syncing.to, over.name), over.folder, { recursive: true });
      if (change === "held") syncing.held.add(over.name);
      if (change === "pinned") syncing.pinned.add(over.name);
      if (change === "down") fail(syncing.source, () => true, "STORE_FAILED");
      if (change === "rolled back") {
        cpSync(join(syncing.to, full.name), full.folder, { recursive: true });
        syncing.remove(newer);
      }
    };
    const totals = await syncing.run({ rules: LARGE });
    t.like(totals, { deleted: 0, notDeleted: change === "down" ? 1 : 0 }, change);
    for (const one of [full, over]) t.true(syncing.has(one), change);
  }
});

test("a mirror keeps held snapshots with their bases", async (t) => {
  const syncing = new Syncing();
  const { full, over } = await afterRetention(t, syncing);
  syncing.held.add(over.name);
  t.like(await syncing.run({ rules: LARGE }), { deleted: 0, notDeleted: 0 });
  syncing.held.clear();
  syncing.held.add(full.name);
  t.like(await syncing.run({ rules: LARGE }), { deleted: 1, notDeleted: 0 });
  t.true(syncing.has(full));
  t.false(syncing.has(over));
});

test("a mirror keeps a snapshot under a lock, for which it asks once", async (t) => {
  const syncing = new Syncing();
  const { over } = await afterRetention(t, syncing);
  const lockedUntil = new Date(Date.now() + 60_000);
  const head = syncing.target.head.bind(syncing.target);
  syncing.target.head = async (key) => {
    const object = await head(key);
    return object && key.startsWith(over.name) ? { ...object, lockedUntil } : object;
  };
  const rules = { ...LARGE, maxDeleteFraction: 0.7 };
  t.like(await syncing.run({ rules }), { deleted: 0, notDeleted: 0 });
  t.deepEqual(syncing.target.keysOf("head").length, 2);
  t.like(await syncing.run({ rules }), { deleted: 0, notDeleted: 0 });
  t.deepEqual(syncing.target.keysOf("head"), []);
  t.true(syncing.has(over));
});

test("a mirror deletes a snapshot whose lock has ended", async (t) => {
  const syncing = new Syncing();
  await afterRetention(t, syncing);
  const head = syncing.target.head.bind(syncing.target);
  syncing.target.head = async (key) => {
    const object = await head(key);
    return object && { ...object, lockedUntil: new Date(1000) };
  };
  t.like(await syncing.run({ rules: LARGE }), { deleted: 2, notDeleted: 0 });
});

test("a snapshot that cannot be deleted is reported, and tried again by the next sync", async (t) => {
  const syncing = new Syncing();
  const { full, over } = await afterRetention(t, syncing);
  const extra = forgeSnapshot(syncing.to, { time: 500 });
  syncing.target.before = (call, key) => {
    if (call === "delete" && key.startsWith(over.name)) throw failure("STORE_FAILED");
  };
  const totals = await syncing.run({ rules: LARGE });
  t.is(totals.notDeleted, 1);
  t.true(syncing.events.includes(`not deleted ${over.name} STORE_FAILED`));
  t.true(syncing.events.includes(`deleted ${extra.name}`));
  syncing.target.before = () => {};
  t.like(await syncing.run({ rules: LARGE }), {
    deleted: syncing.has(full) ? 2 : 1,
    notDeleted: 0,
  });
  t.false(syncing.has(over));
});
