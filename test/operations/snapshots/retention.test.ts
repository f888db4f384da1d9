import { rmSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import type { OperationEvent } from "../../../src/operations/events.js";
import { pruneStore, type RetentionOptions } from "../../../src/operations/snapshots/retention.js";
import { listSnapshots } from "../../../src/snapshots/catalog.js";
import { putHold } from "../../../src/snapshots/holds.js";
import { StoreError } from "../../../src/snapstore/errors.js";
import { LocalStore } from "../../../src/snapstore/local/store.js";
import { newFolder } from "../../support/folders.js";
import { forgeSnapshot } from "../../support/stores/forged-snapshots.js";
import { SwitchableStore } from "../../support/stores/switchable-store.js";

const { signal } = new AbortController();
const now = new Date("2026-11-28T13:00:00Z");
const OPTIONS: RetentionOptions = {
  policy: { kind: "limit-based", maxBackups: 1 },
  timeZone: "UTC",
  now,
  inProgressSince: new Date(now.getTime() - 86_400_000),
  dryRun: false,
};

/** Three full backups, of which the last has an incremental. */
function newStore() {
  const folder = newFolder();
  const store = new SwitchableStore(
    new LocalStore({ provider: "Local", container: folder, prefix: "" }),
  );
  const one = forgeSnapshot(folder, { time: 1_700_000_000 });
  const two = forgeSnapshot(folder, { time: 1_700_001_000 });
  const three = forgeSnapshot(folder, { time: 1_700_002_000 });
  const over = forgeSnapshot(folder, { time: 1_700_003_000, base: three });
  const events: OperationEvent[] = [];
  const report = (event: OperationEvent): void => {
    events.push(event);
  };
  const prune = (options: Partial<RetentionOptions> = {}) =>
    pruneStore(store, { ...OPTIONS, ...options }, { signal, report });
  const left = async () => (await listSnapshots(store, signal)).map(({ name }) => name.text);
  return { folder, store, one, two, three, over, events, prune, left };
}

test("what no rule keeps is deleted, and each decision is reported before", async (t) => {
  const { prune, left, events, one, two, three, over } = newStore();
  t.deepEqual(await prune(), { kept: 2, deleted: 2, failed: 0 });
  t.deepEqual(await left(), [three.name, over.name]);
  const types = events.map(({ type }) => type);
  t.deepEqual(types.slice(types.indexOf("retention-begun")), [
    "retention-begun",
    ...Array.from({ length: 4 }, () => "retention-decision"),
    "snapshot-deleted",
    "snapshot-deleted",
    "retention",
  ]);
  const decided = events.flatMap((event) =>
    event.type === "retention-decision" ? [[event.snapshot, event.keep]] : [],
  );
  t.deepEqual(decided, [
    [one.name, false],
    [two.name, false],
    [three.name, true],
    [over.name, true],
  ]);
  t.deepEqual(await prune(), { kept: 2, deleted: 0, failed: 0 });
});

test("a dry run and a question that is denied delete nothing", async (t) => {
  const { prune, left, store } = newStore();
  t.deepEqual(await prune({ dryRun: true }), { kept: 2, deleted: 2, failed: 0 });
  await t.throwsAsync(
    prune({
      approve: async (deletions) => {
        t.is(deletions.length, 2);
        throw new Error("no");
      },
    }),
    { message: "no" },
  );
  t.is((await left()).length, 4);
  t.deepEqual(store.keysOf("delete"), []);
});

test("what is held or based upon while the question is open stays", async (t) => {
  const { folder, prune, left, store, one, two, three, over } = newStore();
  let late = "";
  const totals = await prune({
    approve: async () => {
      await putHold(store, one.name, { heldAt: now }, signal);
      late = forgeSnapshot(folder, { time: 1_700_004_000, base: two }).name;
    },
  });
  t.deepEqual(totals, { kept: 5, deleted: 0, failed: 0 });
  t.deepEqual(await left(), [one, two, three, over].map(({ name }) => name).concat(late));
});

test("what came while the question was open is not deleted, though no rule keeps it", async (t) => {
  const { folder, prune, left, three, over } = newStore();
  let late = "";
  await prune({
    approve: async () => {
      late = forgeSnapshot(folder, { time: 1_700_000_500 }).name;
    },
  });
  t.deepEqual(await left(), [late, three.name, over.name]);
});

test("a listing that fails deletes nothing", async (t) => {
  for (const prefix of ["", ".backuptool/holds/"]) {
    const { prune, store } = newStore();
    store.before = (call, key) => {
      if (call === "list" && key === prefix) {
        throw new StoreError("STORE_TRANSIENT", "lost", { store: store.name });
      }
    };
    await t.throwsAsync(prune(), { code: "STORE_TRANSIENT" });
    t.deepEqual(store.keysOf("delete"), []);
  }
});

test("locks are asked for only of what would be deleted", async (t) => {
  const { prune, store, one, two } = newStore();
  const list = (): ReturnType<typeof listSnapshots> => listSnapshots(store, signal);
  const listed = await list();
  store.calls.length = 0;
  await prune({ dryRun: true, list: async () => ({ snapshots: listed, streams: [] }) });
  t.deepEqual(
    store.calls.map(({ call, key }) => `${call} ${key}`),
    [
      "list .backuptool/holds/",
      "list .backuptool/pins/",
      `head ${one.name}/MANIFEST.json`,
      `head ${two.name}/MANIFEST.json`,
    ],
  );
});

test("a snapshot that cannot be deleted keeps its bases, and the others go", async (t) => {
  const { folder, store, one, three, over, prune, left, events } = newStore();
  const incremental = forgeSnapshot(folder, { time: 1_700_000_100, base: one });
  store.before = (call, key) => {
    if (call !== "delete" || !key.startsWith(incremental.name)) return;
    throw new StoreError("STORE_FAILED", "no", { store: store.name });
  };
  t.deepEqual(await prune(), { kept: 3, deleted: 1, failed: 1 });
  t.deepEqual(
    await left(),
    [one, incremental, three, over].map(({ name }) => name),
  );
  const failures = events.filter(({ type }) => type === "snapshot-not-deleted");
  t.like(failures, [{ snapshot: incremental.name, code: "STORE_FAILED" }]);
});

test("a store that fails again and again ends the run", async (t) => {
  const { folder, store, prune, events } = newStore();
  for (let i = 0; i < 5; i++) forgeSnapshot(folder, { time: 1_600_000_000 + i });
  store.before = (call, key) => {
    if (call !== "delete" || key.startsWith(".backuptool/")) return;
    throw new StoreError("STORE_CREDENTIALS", "no", { store: store.name });
  };
  await t.throwsAsync(prune(), { code: "STORE_CREDENTIALS" });
  t.is(events.filter(({ type }) => type === "snapshot-not-deleted").length, 3);
});

const DAY = 86_400;
const EXPONENTIAL: RetentionOptions["policy"] = { kind: "exponential", incrementalsMs: 0 };

/** Ten daily full backups, and one that is five weeks later. */
function newPausedStore() {
  const folder = newFolder();
  const store = new SwitchableStore(
    new LocalStore({ provider: "Local", container: folder, prefix: "" }),
  );
  for (let day = 0; day < 10; day++) forgeSnapshot(folder, { time: 1_700_000_000 + day * DAY });
  forgeSnapshot(folder, { time: 1_700_000_000 + 45 * DAY });
  const events: OperationEvent[] = [];
  const report = (event: OperationEvent): void => {
    events.push(event);
  };
  const prune = (options: Partial<RetentionOptions>) =>
    pruneStore(store, { ...OPTIONS, policy: EXPONENTIAL, ...options }, { signal, report });
  const left = async () => (await listSnapshots(store, signal)).length;
  return { folder, store, events, prune, left };
}

test("one backup that is weeks later than all others deletes nothing, unless a person prunes", async (t) => {
  const { store, events, prune, left } = newPausedStore();
  await t.throwsAsync(prune({}), { code: "RETENTION_PAUSED" });
  t.deepEqual(store.keysOf("delete"), []);
  t.is(await left(), 11);
  const warnings = () => events.filter(({ type }) => type === "warning").length;
  t.deepEqual(await prune({ dryRun: true }), { kept: 1, deleted: 10, failed: 0 });
  t.is(warnings(), 1);
  t.deepEqual(await prune({ attended: true }), { kept: 1, deleted: 10, failed: 0 });
  t.is(warnings(), 2);
  t.is(await left(), 1);
});

test("a backup that is weeks later than all others and appears before the second look deletes nothing", async (t) => {
  const { folder, store, prune, left } = newPausedStore();
  const last = (await listSnapshots(store, signal)).at(-1)?.name.text ?? "";
  rmSync(join(folder, last), { recursive: true });
  forgeSnapshot(folder, { time: 1_690_000_000 });
  const late = async (): Promise<void> => {
    forgeSnapshot(folder, { time: 1_700_000_000 + 45 * DAY });
  };
  await t.throwsAsync(prune({ approve: late }), { code: "RETENTION_PAUSED" });
  t.is(await left(), 12);
});

test("nothing is deleted while the clocks of machine and store differ by more than an hour", async (t) => {
  for (const hours of [-24 * 21, -1.1, 1.1, 24 * 21]) {
    const { store, prune, left } = newStore();
    store.clockAheadMs = hours * 3600_000;
    await t.throwsAsync(prune({ attended: true }), { code: "CLOCK_WRONG" });
    t.is((await left()).length, 4);
    t.deepEqual((await store.list(".backuptool/")).objects, []);
    store.clockAheadMs = Math.sign(hours) * 0.9 * 3600_000;
    t.deepEqual(await prune(), { kept: 2, deleted: 2, failed: 0 });
  }
});

test("a snapshot from the store's future counts for no age, whatever the time of the machine", async (t) => {
  const { folder, store, prune, left, two, three, over } = newStore();
  const time = Math.floor(Date.now() / 1000) + 1800;
  const future = forgeSnapshot(folder, { time });
  await prune({ now: new Date((time + 60) * 1000), inProgressSince: new Date() });
  // At the first look the newest full backup was the future one, which alone would be kept.
  const names = await left();
  t.deepEqual(names, [three.name, over.name, future.name]);
  t.false(names.includes(two.name));
  t.deepEqual((await store.list(".backuptool/plans/")).objects, []);
});
