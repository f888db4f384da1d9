import { mock } from "node:test";
import test from "ava";
import { pinnedNames, pinSnapshot } from "../../../src/snapshots/control/pins.js";
import { StoreError } from "../../../src/snapstore/errors.js";
import { LocalStore } from "../../../src/snapstore/local/store.js";
import { newFolder } from "../../support/folders.js";
import { SwitchableStore } from "../../support/stores/switchable-store.js";

const { signal } = new AbortController();
const NAME = "Full-00000000-00000007-1700000000";
const MINUTE_MS = 60_000;

const newStore = () =>
  new SwitchableStore(new LocalStore({ provider: "Local", container: newFolder(), prefix: "" }));

test.before(() => mock.timers.enable({ apis: ["setInterval", "Date"], now: Date.now() }));
test.after.always(() => mock.timers.reset());

/** Time passes, a minute at a time, and each call that begins meanwhile gets time to end. */
async function pass(minutes: number, store: SwitchableStore): Promise<void> {
  for (let i = 0; i < minutes; i++) {
    const before = store.calls.length;
    mock.timers.tick(MINUTE_MS);
    await new Promise((resolve) => setImmediate(resolve));
    if (store.calls.length > before) await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Resolves when the condition holds, or a minute later. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 1200 && !(await holds()); i++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

test.serial("a pin is renewed every hour under a new name, and always there", async (t) => {
  const store = newStore();
  const pin = await pinSnapshot(store, NAME, signal);
  for (let hour = 1; hour <= 3; hour++) {
    await pass(70, store);
    await until(async () => {
      const { objects } = await store.list("");
      return objects.length === 1 && store.keysOf("put").length === hour + 1;
    });
    t.is((await store.list("")).objects.length, 1);
    t.is(store.keysOf("put").length, hour + 1);
  }
  t.is(new Set(store.keysOf("put")).size, 4);
  pin.check();
  await pin.release();
  t.deepEqual([...(await pinnedNames(store, new Date(), signal))], []);
});

test.serial("work stops when a pin could not be renewed for half a day", async (t) => {
  const store = newStore();
  const pin = await pinSnapshot(store, NAME, signal);
  store.before = (call) => {
    if (call === "put") throw new StoreError("STORE_TRANSIENT", "no answer", { store: "test" });
  };
  await pass(11 * 60, store);
  pin.check();
  await pass(70, store);
  t.throws(() => pin.check(), { code: "NOT_RENEWED", message: /12 hours/ });
  await pin.release();
});

test.serial("work stops when the machine was suspended for half a day", async (t) => {
  const store = newStore();
  const pin = await pinSnapshot(store, NAME, signal);
  mock.timers.setTime(Date.now() + 13 * 60 * MINUTE_MS);
  await t.throwsAsync(pin.confirm(signal), { code: "NOT_RENEWED" });
  await pin.release();
});
