import { setMaxListeners } from "node:events";
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { listSnapshots } from "../../src/snapshots/catalog.js";
import { controlKey } from "../../src/snapshots/control/control-file.js";
import { copyStore } from "../../src/replication/copy/store.js";
import { deleteSnapshot } from "../../src/snapshots/delete.js";
import {
  checkNotCovered,
  heldNames,
  putHold,
  readHold,
  removeHold,
} from "../../src/snapshots/holds.js";
import { pruneIncomplete } from "../../src/snapshots/prune.js";
import { LocalStore } from "../../src/snapstore/local/store.js";
import { newFolder } from "../support/folders.js";
import { EveryStore } from "../support/stores/every-store.js";
import { forgeSnapshot } from "../support/stores/forged-snapshots.js";

const { signal } = new AbortController();
// Shared by all tests.
setMaxListeners(0, signal);
const heldAt = new Date("2026-11-28T13:00:00Z");

function newStore(): { folder: string; store: LocalStore } {
  const folder = newFolder();
  return { folder, store: new LocalStore({ provider: "Local", container: folder, prefix: "" }) };
}

test("a hold is read as it was put, and gone once it is removed", async (t) => {
  const { store } = newStore();
  const name = "Full-00000000-00000000-1700000000";
  t.is(await readHold(store, name, signal), undefined);
  await putHold(store, name, { reason: "audit", heldAt }, signal);
  t.deepEqual(await readHold(store, name, signal), {
    reason: "audit",
    heldAt: "2026-11-28T13:00:00.000Z",
  });
  t.deepEqual([...(await heldNames(store, signal))], [name]);
  t.true(await removeHold(store, name, signal));
  t.false(await removeHold(store, name, signal));
  t.deepEqual([...(await heldNames(store, signal))], []);
});

test("every kind of store keeps holds, beside its snapshots", async (t) => {
  const everyStore = await EveryStore.start();
  try {
    const name = "Full-00000000-00000000-1700000000";
    for (const [provider, store] of Object.entries(await everyStore.all())) {
      await store.put(`${name}/INDEX.bin`, Buffer.from("x"));
      await putHold(store, name, { reason: "grüße", heldAt }, signal);
      t.deepEqual([...(await heldNames(store, signal))], [name], provider);
      t.is((await readHold(store, name, signal))?.reason, "grüße", provider);
      t.deepEqual(
        (await listSnapshots(store, signal)).map((one) => one.name.text),
        [name],
        provider,
      );
      const deletion = deleteSnapshot(store, name, { dryRun: false, signal });
      await t.throwsAsync(deletion, { code: "SNAPSHOT_HELD" }, provider);
      t.true(await removeHold(store, name, signal), provider);
      t.is((await deleteSnapshot(store, name, { dryRun: false, signal })).files, 1, provider);
      t.deepEqual((await store.list("", { signal })).objects, [], provider);
    }
  } finally {
    await everyStore.stop();
  }
});

test("a held snapshot is not deleted, whatever is in the file of its hold", async (t) => {
  for (const content of [
    "",
    "{",
    '{"format": 9}',
    "x".repeat(100_000),
    '{"format":1,"reason":5}',
  ]) {
    const { folder, store } = newStore();
    const one = forgeSnapshot(folder, { time: 1_700_000_000 });
    await store.put(controlKey("holds", one.name), Buffer.from(content));
    await t.throwsAsync(deleteSnapshot(store, one.name, { dryRun: false, signal }), {
      code: "SNAPSHOT_HELD",
    });
    const [left] = await listSnapshots(store, signal);
    t.is(left?.state, "complete");
    t.is((await readHold(store, one.name, signal))?.reason, undefined);
  }
});

test("a reason that is longer than any that is written is not read", async (t) => {
  const { store } = newStore();
  const name = "Full-00000000-00000000-1700000000";
  await putHold(store, name, { reason: "x".repeat(501), heldAt }, signal);
  t.is((await readHold(store, name, signal))?.reason, undefined);
});

test("a hold covers the bases below it, under all of their names, and not what is above", async (t) => {
  const { folder, store } = newStore();
  const base = forgeSnapshot(folder, { time: 1_700_000_000 });
  const copy = forgeSnapshot(folder, { time: 1_700_000_001, id: base.id });
  const middle = forgeSnapshot(folder, { time: 1_700_000_002, base });
  const held = forgeSnapshot(folder, { time: 1_700_000_003, base: middle });
  const above = forgeSnapshot(folder, { time: 1_700_000_004, base: held });
  const other = forgeSnapshot(folder, { time: 1_700_000_005 });
  await putHold(store, held.name, { heldAt }, signal);
  const all = await listSnapshots(store, signal);
  const names = await heldNames(store, signal);
  const check = (name: string): void => {
    for (const one of all) if (one.name.text === name) checkNotCovered(store, one, all, names);
  };
  t.throws(() => check(held.name), { code: "SNAPSHOT_HELD", message: /is held$/ });
  for (const { name } of [base, copy, middle]) {
    const message = new RegExp(`^${name} in .* is needed by ${held.name}, which is held$`);
    t.throws(() => check(name), { code: "SNAPSHOT_HELD", message });
  }
  t.notThrows(() => check(above.name));
  t.notThrows(() => check(other.name));
});

test("prune-incomplete keeps what is held", async (t) => {
  const { folder, store } = newStore();
  const held = forgeSnapshot(folder, { time: 1_700_000_000, unfinished: true });
  const other = forgeSnapshot(folder, { time: 1_700_000_001, unfinished: true });
  await putHold(store, held.name, { heldAt }, signal);
  const removed: string[] = [];
  const kept: string[] = [];
  await pruneIncomplete(store, {
    olderThan: new Date(Date.now() + 3_600_000),
    dryRun: false,
    signal,
    onRemoved: ({ text }) => removed.push(text),
    onKept: () => t.fail(),
    onProtected: ({ text }, { code }) => kept.push(`${text} ${code}`),
  });
  t.deepEqual(removed, [other.name]);
  t.deepEqual(kept, [`${held.name} SNAPSHOT_HELD`]);
  t.true(existsSync(held.folder));
});

test("copy replaces neither a held snapshot nor a base of it, and repairs a held one", async (t) => {
  const [source, target] = [newStore(), newStore()];
  const time = 1_700_000_000;
  const { name } = forgeSnapshot(source.folder, { time });
  const mine = forgeSnapshot(target.folder, { time });
  const over = forgeSnapshot(target.folder, { time: time + 1, base: mine });
  await putHold(target.store, name, { heldAt }, signal);
  const copy = () => {
    const failures: string[] = [];
    const settings = {
      limits: {},
      maxParallelCopies: 2,
      minChunkBytes: 5 << 20,
      maxParallelChunks: 2,
      retries: { maxRetries: 0, backoffMs: 1 },
      signal,
    };
    const reports = {
      onProgress: () => {},
      onListed: async () => {},
      onCopied: () => {},
      onFailed: (_: string, { code }: { code: string }) => failures.push(code),
    };
    return copyStore(source.store, target.store, settings, reports).then(() => failures);
  };
  t.deepEqual(await copy(), ["SNAPSHOT_HELD"]);
  const [left] = await listSnapshots(target.store, signal);
  t.is(left?.facts?.id, mine.id);
  t.is(left?.state, "complete");
  await removeHold(target.store, name, signal);
  await putHold(target.store, over.name, { heldAt }, signal);
  t.deepEqual(await copy(), ["SNAPSHOT_HELD"]);
  await removeHold(target.store, over.name, signal);
  t.deepEqual(await copy(), []);
  await putHold(target.store, name, { heldAt }, signal);
  rmSync(join(target.folder, name, "INDEX.bin"));
  t.deepEqual(await copy(), []);
  t.deepEqual(
    (await listSnapshots(target.store, signal)).map(({ state }) => state),
    ["complete", "complete"],
  );
});
