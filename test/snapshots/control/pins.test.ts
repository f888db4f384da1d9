import test from "ava";
import { listSnapshots } from "../../../src/snapshots/catalog.js";
import { controlKey } from "../../../src/snapshots/control/control-file.js";
import { checkNotPinned, pinnedNames, pinSnapshot } from "../../../src/snapshots/control/pins.js";
import { plannedDeletions, publishPlan } from "../../../src/snapshots/control/plans.js";
import { removeStaleFiles } from "../../../src/snapshots/control/stale.js";
import { StoreError } from "../../../src/snapstore/errors.js";
import { LocalStore } from "../../../src/snapstore/local/store.js";
import { newFolder } from "../../support/folders.js";
import { forgeSnapshot } from "../../support/stores/forged-snapshots.js";
import { SwitchableStore } from "../../support/stores/switchable-store.js";

const { signal } = new AbortController();
const HOUR_MS = 3_600_000;
const NAME = "Full-00000000-00000007-1700000000";

function newStore() {
  const folder = newFolder();
  return { folder, store: new LocalStore({ provider: "Local", container: folder, prefix: "" }) };
}

const later = (hours: number): Date => new Date(Date.now() + hours * HOUR_MS);

test("a snapshot is pinned until all of its pins are released", async (t) => {
  const { store } = newStore();
  const [one, two] = [
    await pinSnapshot(store, NAME, signal),
    await pinSnapshot(store, NAME, signal),
  ];
  t.true(Math.abs(one.storeTime.getTime() - Date.now()) < HOUR_MS);
  one.check();
  t.deepEqual([...(await pinnedNames(store, new Date(), signal))], [NAME]);
  await one.release();
  t.deepEqual([...(await pinnedNames(store, new Date(), signal))], [NAME]);
  await two.leave();
  t.deepEqual([...(await pinnedNames(store, later(23), signal))], [NAME]);
  t.deepEqual([...(await pinnedNames(store, later(25), signal))], []);
});

test("a pin counts whatever is in it", async (t) => {
  const { store } = newStore();
  await store.put(controlKey("pins", `${NAME}/x`), Buffer.from("\0 not JSON"));
  await store.put(controlKey("pins", "alone"), Buffer.alloc(100_000));
  t.deepEqual([...(await pinnedNames(store, new Date(), signal))].sort(), [NAME, "alone"]);
});

test("the bases of a pinned snapshot are pinned too, under each of their names", async (t) => {
  const { folder, store } = newStore();
  const full = forgeSnapshot(folder, { time: 1000 });
  const twin = forgeSnapshot(folder, { time: 1500, id: full.id });
  const middle = forgeSnapshot(folder, { time: 2000, base: full });
  const top = forgeSnapshot(folder, { time: 3000, base: middle });
  const other = forgeSnapshot(folder, { time: 4000 });
  const all = await listSnapshots(store, signal);
  const pinned = new Set([middle.name]);
  for (const { name } of all) {
    const check = () => checkNotPinned({ name }, all, pinned);
    if ([full.name, twin.name, middle.name].includes(name.text)) {
      t.throws(check, { code: "SNAPSHOT_PINNED", message: new RegExp(name.text) });
    } else {
      t.true([top.name, other.name].includes(name.text));
      t.notThrows(check);
    }
  }
});

test("a plan names its snapshots, however many, until it is removed or a day old", async (t) => {
  const { store } = newStore();
  const names = Array.from({ length: 1203 }, (_, i) => `Full-00000000-00000000-${i + 1}`);
  const plan = await publishPlan(store, names, signal);
  const other = await publishPlan(store, [NAME], signal);
  const planned = await plannedDeletions(store, new Date(), signal);
  t.deepEqual([...planned.names].sort(), [NAME, ...names].sort());
  t.is(planned.unreadable, undefined);
  await plan.remove();
  await other.leave();
  t.deepEqual([...(await plannedDeletions(store, later(23), signal)).names], [NAME]);
  t.deepEqual([...(await plannedDeletions(store, later(25), signal)).names], []);
});

test("a plan that cannot be read may name any snapshot", async (t) => {
  for (const text of ["", "{}", '{"format":1,"snapshots":"all"}', '{"format":1,"snapshots":[7]}']) {
    const { store } = newStore();
    const key = controlKey("plans", "x");
    await store.put(key, Buffer.from(text));
    t.is((await plannedDeletions(store, new Date(), signal)).unreadable, key, text);
  }
});

test("what processes left a day ago is removed, and holds and epochs stay", async (t) => {
  const { store } = newStore();
  await (await pinSnapshot(store, NAME, signal)).leave();
  await (await publishPlan(store, [NAME], signal)).leave();
  for (const key of [`names/${NAME}/x`, `holds/${NAME}`, "epochs/000000000001"]) {
    await store.put(`.backuptool/${key}`, Buffer.from("{}"));
  }
  const keys = async () => (await store.list("")).objects.map(({ key }) => key);
  await removeStaleFiles(store, later(23), signal);
  t.is((await keys()).length, 5);
  await removeStaleFiles(store, later(25), signal);
  t.deepEqual(await keys(), [".backuptool/epochs/000000000001", `.backuptool/holds/${NAME}`]);
});

test("a pin that could not be released goes with the next removal of stale files", async (t) => {
  const { store } = newStore();
  const broken = new SwitchableStore(store);
  const pin = await pinSnapshot(broken, NAME, signal);
  broken.before = (call) => {
    if (call === "delete") throw new StoreError("STORE_TRANSIENT", "down", { store: store.name });
  };
  await pin.release();
  await removeStaleFiles(broken, new Date(), signal);
  t.deepEqual([...(await pinnedNames(store, new Date(), signal))], [NAME]);
  const other = await pinSnapshot(store, "other", signal);
  await removeStaleFiles(store, new Date(), signal);
  t.deepEqual([...(await pinnedNames(store, new Date(), signal))], ["other"]);
  await other.release();
});
