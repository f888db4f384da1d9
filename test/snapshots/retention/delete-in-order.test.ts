import test from "ava";
import { InterruptedError } from "../../../src/errors.js";
import { listSnapshots } from "../../../src/snapshots/catalog.js";
import { putHold } from "../../../src/snapshots/holds.js";
import type { Candidate } from "../../../src/snapshots/retention/candidate.js";
import { deleteInOrder } from "../../../src/snapshots/retention/delete-in-order.js";
import { StoreError } from "../../../src/snapstore/errors.js";
import { LocalStore } from "../../../src/snapstore/local/store.js";
import { newFolder } from "../../support/folders.js";
import { forgeSnapshot } from "../../support/stores/forged-snapshots.js";
import { SwitchableStore } from "../../support/stores/switchable-store.js";

const { signal } = new AbortController();

/** Two chains, and a store that tells what is done to it. */
async function twoChains() {
  const folder = newFolder();
  const local = new LocalStore({ provider: "Local", container: folder, prefix: "" });
  const store = new SwitchableStore(local);
  // The clock was set back: each base has a later time than the incremental over it.
  const first = forgeSnapshot(folder, { time: 1_700_000_900 });
  const second = forgeSnapshot(folder, { time: 1_700_000_800, base: first });
  const third = forgeSnapshot(folder, { time: 1_700_000_700, base: second });
  const beside = forgeSnapshot(folder, { time: 1_700_000_600, base: first });
  const other = forgeSnapshot(folder, { time: 1_700_001_000 });
  const over = forgeSnapshot(folder, { time: 1_700_001_100, base: other });
  const all: Candidate[] = (await listSnapshots(store, signal)).map(({ name, state, facts }) => ({
    name,
    state,
    facts,
    held: false,
    pinned: false,
    inProgress: false,
  }));
  const deleted: string[] = [];
  const failed: string[] = [];
  const run = (): Promise<void> =>
    deleteInOrder(store, all, all, {
      signal,
      onDeleted: ({ text }) => deleted.push(text),
      onFailed: ({ text }, { code }) => failed.push(`${text} ${code}`),
    });
  const left = async () => (await listSnapshots(local, signal)).map(({ name }) => name.text);
  return { store, first, second, third, beside, other, over, deleted, failed, run, left };
}

test("each snapshot is deleted before its bases, chain after chain, manifest first", async (t) => {
  const { run, deleted, failed, store, ...made } = await twoChains();
  await run();
  const { first, second, third, beside, other, over } = made;
  t.deepEqual(
    deleted,
    [third, second, beside, first, over, other].map(({ name }) => name),
  );
  t.deepEqual(failed, []);
  t.deepEqual(await made.left(), []);
  const keys = store.keysOf("delete");
  for (const name of deleted) {
    t.is(
      keys.find((key) => key.startsWith(name)),
      `${name}/MANIFEST.json`,
    );
  }
});

test("the bases of a snapshot that cannot be deleted stay, and all others go", async (t) => {
  const { run, deleted, failed, store, ...made } = await twoChains();
  const { first, second, third, beside, other, over } = made;
  await putHold(store, second.name, { heldAt: new Date() }, signal);
  await run();
  t.deepEqual(
    deleted,
    [third, beside, over, other].map(({ name }) => name),
  );
  t.deepEqual(failed, [`${second.name} SNAPSHOT_HELD`, `${first.name} SNAPSHOT_NEEDED`]);
  t.deepEqual((await made.left()).sort(), [first.name, second.name].sort());
});

test("a failure whose reason is one object does not stop the rest", async (t) => {
  const { run, deleted, failed, store, third, second, first } = await twoChains();
  store.before = (call, key) => {
    if (call !== "delete" || !key.startsWith(third.name)) return;
    throw new StoreError("STORE_FAILED", "no", { store: store.name });
  };
  await run();
  t.deepEqual(failed, [
    `${third.name} STORE_FAILED`,
    `${second.name} SNAPSHOT_NEEDED`,
    `${first.name} SNAPSHOT_NEEDED`,
  ]);
  t.is(deleted.length, 3);
});

test("a store that fails again and again ends the run", async (t) => {
  const { run, deleted, failed, store } = await twoChains();
  store.before = (call) => {
    if (call === "delete") throw new StoreError("STORE_CREDENTIALS", "no", { store: store.name });
  };
  await t.throwsAsync(run(), { code: "STORE_CREDENTIALS" });
  t.deepEqual(deleted, []);
  t.is(failed.filter((text) => text.endsWith("STORE_CREDENTIALS")).length, 3);
});

test("an interruption ends the run at once", async (t) => {
  const { run, failed, store, left } = await twoChains();
  store.before = (call) => {
    if (call === "delete") throw new InterruptedError();
  };
  await t.throwsAsync(run(), { code: "INTERRUPTED" });
  t.deepEqual(failed, []);
  t.is((await left()).length, 6);
});
