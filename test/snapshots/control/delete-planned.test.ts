import { writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { NotLeaderError } from "../../../src/errors.js";
import { listSnapshots } from "../../../src/snapshots/catalog.js";
import { controlKey } from "../../../src/snapshots/control/control-file.js";
import {
  deletePlanned,
  type PlannedDeletionOptions,
} from "../../../src/snapshots/control/delete-planned.js";
import { pinSnapshot } from "../../../src/snapshots/control/pins.js";
import { StoreError } from "../../../src/snapstore/errors.js";
import { LocalStore } from "../../../src/snapstore/local/store.js";
import { newFolder } from "../../support/folders.js";
import { age, forgeSnapshot } from "../../support/stores/forged-snapshots.js";
import { SwitchableStore } from "../../support/stores/switchable-store.js";

const { signal } = new AbortController();

/** A store with a full backup, two incrementals over it, and another full backup. */
function newStore() {
  const folder = newFolder();
  const local = new LocalStore({ provider: "Local", container: folder, prefix: "" });
  const full = forgeSnapshot(folder, { time: 1000 });
  const middle = forgeSnapshot(folder, { time: 2000, base: full });
  const top = forgeSnapshot(folder, { time: 3000, base: middle });
  const other = forgeSnapshot(folder, { time: 4000 });
  return { folder, store: new SwitchableStore(local), full, middle, top, other };
}

/** Deletes all snapshots, unless `recheck` or an error keeps some. */
async function deleteAll(store: SwitchableStore, more: Partial<PlannedDeletionOptions> = {}) {
  const targets = await listSnapshots(store, signal);
  store.calls.length = 0;
  const deleted: string[] = [];
  const failed: string[] = [];
  await deletePlanned(store, targets, {
    waitMs: 0,
    recheck: async () => new Set(targets.map(({ name }) => name.text)),
    onDeleted: ({ text }) => deleted.push(text),
    onFailed: ({ text }, { code }) => failed.push(`${text} ${code}`),
    signal,
    ...more,
  });
  return { deleted, failed };
}

async function left(store: SwitchableStore): Promise<string[]> {
  return (await listSnapshots(store, signal))
    .filter(({ state }) => state === "complete")
    .map(({ name }) => name.text);
}

/** All keys but those of the reserve. */
async function leftKeys(store: SwitchableStore): Promise<string[]> {
  const { objects } = await store.list("");
  return objects.map(({ key }) => key).filter((key) => !key.startsWith(controlKey("reserve", "")));
}

async function plans(store: SwitchableStore): Promise<number> {
  return (await store.list(controlKey("plans", ""))).objects.length;
}

test("incrementals go before their bases, each manifest before its files, and nothing is left", async (t) => {
  const { store, full, middle, top, other } = newStore();
  const { deleted, failed } = await deleteAll(store);
  const order = [other.name, top.name, middle.name, full.name];
  t.deepEqual(deleted, order);
  t.deepEqual(failed, []);
  const keys = store.keysOf("delete");
  t.deepEqual(
    keys.filter((key) => key.endsWith("/MANIFEST.json")),
    order.map((name) => `${name}/MANIFEST.json`),
  );
  for (const name of order)
    t.is(
      keys.find((key) => key.startsWith(name)),
      `${name}/MANIFEST.json`,
    );
  t.deepEqual(await leftKeys(store), []);
});

test("the plan is listed before the wait, and everything is looked at after it", async (t) => {
  const { store } = newStore();
  let waited = 0;
  let rechecked = 0;
  await deleteAll(store, {
    waitMs: 5000,
    clock: {
      now: () => 0,
      sleep: async (ms) => {
        waited = ms;
        t.is(rechecked, 0);
        t.is(await plans(store), 1);
        t.deepEqual(store.keysOf("delete"), []);
      },
    },
    recheck: async ({ storeTime }) => {
      t.is(waited, 5000);
      t.true(Math.abs(storeTime.getTime() - Date.now()) < 3_600_000);
      rechecked++;
      return new Set();
    },
  });
  t.is(rechecked, 1);
  t.is((await left(store)).length, 4);
  t.is(await plans(store), 0);
});

test("a snapshot that is pinned after it was chosen is kept with its bases", async (t) => {
  const { store, full, middle, top, other } = newStore();
  const pin = await pinSnapshot(store, middle.name, signal);
  const { deleted, failed } = await deleteAll(store, {
    // It does not look at the pins by itself.
    recheck: async ({ pinned }) => {
      t.deepEqual([...pinned], [middle.name]);
      return new Set([full.name, middle.name, top.name, other.name]);
    },
  });
  t.deepEqual(deleted, [other.name, top.name]);
  t.deepEqual(failed, []);
  t.deepEqual(await left(store), [full.name, middle.name]);
  await pin.release();
});

test("the base of a snapshot that cannot be deleted is kept, and others are deleted", async (t) => {
  const { folder, store, full, middle, top, other } = newStore();
  writeFileSync(join(folder, middle.name, "another's"), "");
  const { deleted, failed } = await deleteAll(store);
  t.deepEqual(deleted, [other.name, top.name]);
  t.deepEqual(failed, [`${middle.name} FOREIGN_FILE`]);
  t.deepEqual(await left(store), [full.name, middle.name]);
  t.is(await plans(store), 0);
});

test("the plan stays while a deletion may still reach the store", async (t) => {
  const { store, top } = newStore();
  store.before = (call, key) => {
    if (call !== "delete" || !key.startsWith(top.name)) return;
    throw new StoreError("STORE_TRANSIENT", "no answer", { store: "test" });
  };
  const { failed } = await deleteAll(store);
  t.deepEqual(failed, [`${top.name} STORE_TRANSIENT`]);
  t.is(await plans(store), 1);
});

test("a second look that fails deletes nothing and leaves no plan", async (t) => {
  const { store } = newStore();
  const recheck = () => Promise.reject(new StoreError("STORE_FAILED", "no", { store: "test" }));
  await t.throwsAsync(deleteAll(store, { recheck }), { code: "STORE_FAILED" });
  t.is((await left(store)).length, 4);
  t.is(await plans(store), 0);
});

async function stopsAfter(t: ExecutionContext, manifests: number): Promise<void> {
  const { store } = newStore();
  let permitted = manifests;
  const check = (): void => {
    if (permitted <= 0) throw new NotLeaderError("another one leads");
  };
  store.before = (call, key) => {
    if (call === "delete" && key.endsWith("MANIFEST.json")) permitted--;
  };
  const guard = { check, confirm: async () => check() };
  await t.throwsAsync(deleteAll(store, { guard }), { code: "NOT_LEADER" });
  store.before = () => {};
  t.is((await left(store)).length, 4 - manifests);
}

test("a leader that has lost its leadership deletes nothing more, not even a file", async (t) => {
  await stopsAfter(t, 0);
  await stopsAfter(t, 1);
  await stopsAfter(t, 3);
});

test("names of the last minute, or ahead of the clock, are not used again for a day", async (t) => {
  const { folder, store } = newStore();
  const now = Math.floor(Date.now() / 1000);
  const names = [forgeSnapshot(folder, { time: now }), forgeSnapshot(folder, { time: now + 9999 })];
  await deleteAll(store);
  const listed = (await leftKeys(store)).map((key) => key.split("/").slice(0, 3));
  t.deepEqual(
    listed,
    names.map(({ name }) => [".backuptool", "names", name]),
  );
});

test("what processes that died left behind is removed too", async (t) => {
  const { folder, store } = newStore();
  for (const path of ["pins/Full-00000000-00000000-1/a", "plans/b", "names/x/c"]) {
    await store.put(`.backuptool/${path}`, Buffer.from("{}"));
    age(join(folder, ".backuptool", path), Date.now() / 1000 - 90_000);
  }
  await deleteAll(store);
  t.deepEqual(await leftKeys(store), []);
});
