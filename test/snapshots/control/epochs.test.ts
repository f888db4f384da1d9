import { mock } from "node:test";
import test from "ava";
import { controlKey, listControlFiles } from "../../../src/snapshots/control/control-file.js";
import { type StoreEpoch, takeEpoch } from "../../../src/snapshots/control/epochs.js";
import { StoreError } from "../../../src/snapstore/errors.js";
import { LocalStore } from "../../../src/snapstore/local/store.js";
import { newFolder } from "../../support/folders.js";
import { PausedStore } from "../../support/stores/paused-store.js";
import { SwitchableStore } from "../../support/stores/switchable-store.js";

const { signal } = new AbortController();
const newStore = () =>
  new SwitchableStore(new LocalStore({ provider: "Local", container: newFolder(), prefix: "" }));

function hasEnded(epoch: StoreEpoch): boolean {
  try {
    epoch.check();
    return false;
  } catch {
    return true;
  }
}

test("each leader has a later epoch, and stops the one before", async (t) => {
  const store = newStore();
  const first = await takeEpoch(store, "one", signal);
  t.is(first.number, 1);
  await first.look(signal);
  const second = await takeEpoch(store, "two", signal);
  t.is(second.number, 2);
  // A moment ago it was the last one, and it has not looked since.
  await first.confirm(signal);
  first.check();
  await t.throwsAsync(first.look(signal), { code: "NOT_LEADER", message: /begun epoch 2/ });
  t.throws(() => first.check(), { code: "NOT_LEADER" });
  t.true(first.lost.aborted);
  await t.throwsAsync(first.confirm(signal), { code: "NOT_LEADER" });
  await second.look(signal);
  t.false(second.lost.aborted);
});

test("leaders that begin at the same moment have different epochs", async (t) => {
  const store = newStore();
  const epochs = await Promise.all(["a", "b", "c", "d"].map((id) => takeEpoch(store, id, signal)));
  t.deepEqual(epochs.map(({ number }) => number).sort(), [1, 2, 3, 4]);
  const looks = await Promise.allSettled(epochs.map((epoch) => epoch.look(signal)));
  t.is(looks.filter(({ status }) => status === "fulfilled").length, 1);
});

test("of two leaders with one number, in a store without create-only promises, the last one stays", async (t) => {
  const store = new PausedStore({
    atomicIfAbsent: false,
    step: () => new Promise((resolve) => setImmediate(resolve)),
    losesAnswer: () => false,
    onChange: () => {},
    now: () => Date.now(),
  });
  const epochs = await Promise.all(["a", "b"].map((id) => takeEpoch(store, id, signal)));
  t.deepEqual(
    epochs.map(({ number }) => number),
    [1, 1],
  );
  const looks = await Promise.allSettled(epochs.map((epoch) => epoch.look(signal)));
  t.is(looks.filter(({ status }) => status === "fulfilled").length, 1);
});

test("an epoch that was removed or overwritten by hand ends", async (t) => {
  const store = newStore();
  const key = controlKey("epochs", "000000000001");
  for (const spoil of [() => store.delete(key), () => store.put(key, Buffer.from("{}"))]) {
    await store.delete(key);
    const epoch = await takeEpoch(store, "one", signal);
    await spoil();
    await t.throwsAsync(epoch.look(signal), { code: "NOT_LEADER" });
  }
});

test.serial(
  "a store that does not answer holds up no write, and its answer counts when it comes",
  async (t) => {
    const store = newStore();
    const first = await takeEpoch(store, "one", signal);
    await takeEpoch(store, "two", signal);
    let answer = (): void => {};
    const silent = new Promise<void>((resolve) => {
      answer = resolve;
    });
    store.before = (call) => (call === "list" ? silent : undefined);
    mock.timers.enable({ apis: ["Date"], now: Date.now() + 11_000 });
    t.teardown(() => mock.timers.reset());
    await first.confirm(signal);
    first.check();
    answer();
    while (!hasEnded(first)) await new Promise((resolve) => setTimeout(resolve, 20));
    await t.throwsAsync(first.confirm(signal), { code: "NOT_LEADER" });
  },
);

test("one wrong answer that the file of an epoch is missing does not end it", async (t) => {
  const store = newStore();
  const epoch = await takeEpoch(store, "one", signal);
  let wrong = 1;
  store.before = (call) => {
    if (call !== "get" || wrong-- <= 0) return;
    throw new StoreError("STORE_NOT_FOUND", "not found", { store: "test" });
  };
  await epoch.look(signal);
  t.false(epoch.lost.aborted);
  wrong = 2;
  await t.throwsAsync(epoch.look(signal), { code: "NOT_LEADER", message: /is gone/ });
});

test("old epochs are removed, never the newest, and other files count for nothing", async (t) => {
  const store = newStore();
  for (let i = 0; i < 14; i++) await takeEpoch(store, "one", signal);
  const paths = (await listControlFiles(store, "epochs", signal)).map(({ path }) => Number(path));
  t.deepEqual(paths, [4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
  await store.put(controlKey("epochs", "99"), Buffer.from("x"));
  await store.put(controlKey("epochs", "000000000090/x"), Buffer.from("x"));
  t.is((await takeEpoch(store, "one", signal)).number, 15);
});

test("numbers that a hostile writer has used up are an error", async (t) => {
  const store = newStore();
  await store.put(controlKey("epochs", "999999999999"), Buffer.from("x"));
  await t.throwsAsync(takeEpoch(store, "one", signal), {
    code: "NO_EPOCH",
    message: /999999999999/,
  });
});

test("a look that fails is no end, and the next one is a while later", async (t) => {
  const store = newStore();
  const epoch = await takeEpoch(store, "one", signal);
  store.before = () => {
    throw new StoreError("STORE_TRANSIENT", "no answer", { store: "test" });
  };
  await t.throwsAsync(epoch.look(signal), { code: "STORE_TRANSIENT" });
  const calls = store.calls.length;
  await epoch.confirm(signal);
  t.is(store.calls.length, calls);
});
