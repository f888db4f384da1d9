import { fileURLToPath } from "node:url";
import test from "ava";
import { controlKey } from "../../../src/snapshots/control/control-file.js";
import { keepReserve, usingReserve } from "../../../src/snapshots/control/reserve.js";
import { StoreError } from "../../../src/snapstore/errors.js";
import { LocalStore } from "../../../src/snapstore/local/store.js";
import { newFolder } from "../../support/folders.js";
import { runProcess } from "../../support/program/processes.js";
import { SwitchableStore } from "../../support/stores/switchable-store.js";

const { signal } = new AbortController();
const newStore = () =>
  new SwitchableStore(new LocalStore({ provider: "Local", container: newFolder(), prefix: "" }));
const full = () => new StoreError("STORE_FULL", "no space left", { store: "test" });
const reserved = async (store: SwitchableStore) =>
  (await store.list(controlKey("reserve", ""))).objects.length;

test("in a full store, a leader begins and a deletion makes room", async (t) => {
  const program = fileURLToPath(new URL("../../support/stores/full-store.js", import.meta.url));
  const args = ["-rm", process.execPath, program, newFolder()];
  const { code, stdout, stderr } = await runProcess("unshare", args);
  t.is(code, 0, stderr);
  const { names, ...said } = JSON.parse(stdout.toString());
  t.deepEqual(said, {
    "deletion without a reserve": "STORE_FULL",
    "first epoch": 1,
    reserve: 4,
    "any put": "STORE_FULL",
    "epoch in the full store": 2,
    "reserve after the epoch": 3,
    "deletion in the full store": [names[0]],
    "reserve after the deletion": 4,
    "second deletion": [names[1]],
    "time of the full store": true,
    left: [names[2]],
  });
});

test("only what is missing of the reserve is written, and a full store is no failure", async (t) => {
  const store = newStore();
  await keepReserve(store, signal);
  t.is(await reserved(store), 4);
  await store.delete(controlKey("reserve", "2"));
  store.calls.length = 0;
  await keepReserve(store, signal);
  t.deepEqual(store.keysOf("put"), [controlKey("reserve", "2")]);
  await store.delete(controlKey("reserve", "3"));
  store.before = (call) => {
    if (call === "put") throw full();
  };
  await keepReserve(store, signal);
  t.is(await reserved(store), 3);
});

test("as much of the reserve is used as is needed, and then the failure is told", async (t) => {
  const store = newStore();
  await keepReserve(store, signal);
  let failures = 2;
  const write = async () => {
    if (failures-- > 0) throw full();
    return "written";
  };
  t.is(await usingReserve(store, write, signal), "written");
  t.is(await reserved(store), 2);
  failures = 9;
  await t.throwsAsync(usingReserve(store, write, signal), { code: "STORE_FULL" });
  t.is(await reserved(store), 0);
  t.is(failures, 6);
});

test("another failure uses nothing of the reserve", async (t) => {
  const store = newStore();
  await keepReserve(store, signal);
  const write = () => Promise.reject(new StoreError("STORE_FAILED", "no", { store: "test" }));
  await t.throwsAsync(usingReserve(store, write, signal), { code: "STORE_FAILED" });
  t.is(await reserved(store), 4);
});
