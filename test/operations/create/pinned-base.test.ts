import { rmSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { PinnedBase } from "../../../src/operations/create/pinned-base.js";
import { controlKey } from "../../../src/snapshots/control/control-file.js";
import { pinnedNames } from "../../../src/snapshots/control/pins.js";
import { publishPlan } from "../../../src/snapshots/control/plans.js";
import { LocalStore } from "../../../src/snapstore/local/store.js";
import { newFolder } from "../../support/folders.js";
import { forgeSnapshot } from "../../support/stores/forged-snapshots.js";

const { signal } = new AbortController();

function newStore() {
  const folder = newFolder();
  const full = forgeSnapshot(folder, { time: 1000 });
  const top = forgeSnapshot(folder, { time: 2000, base: full });
  const store = new LocalStore({ provider: "Local", container: folder, prefix: "" });
  const pinned = async () => [...(await pinnedNames(store, new Date(), signal))];
  return { full, top, store, pinned };
}

test("a base is pinned while an incremental over it is made", async (t) => {
  const { full, top, store, pinned } = newStore();
  const base = await PinnedBase.pin(store, top.name, signal);
  t.deepEqual(await pinned(), [top.name]);
  await base.checkChain([full.name], signal);
  await base.checkBeforeManifest(signal);
  base.complete();
  await base.release();
  t.deepEqual(await pinned(), []);
});

test("a pin is released after a failure, unless the manifest may still reach the store", async (t) => {
  const { full, top, store, pinned } = newStore();
  const first = await PinnedBase.pin(store, top.name, signal);
  await first.checkChain([full.name], signal);
  await first.release();
  t.deepEqual(await pinned(), []);
  const second = await PinnedBase.pin(store, top.name, signal);
  await second.checkBeforeManifest(signal);
  await second.release();
  t.deepEqual(await pinned(), [top.name]);
});

test("a chain of which a part is about to be deleted is no base", async (t) => {
  for (const which of ["full", "top"] as const) {
    const { full, top, store } = newStore();
    const { name } = { full, top }[which];
    const plan = await publishPlan(store, [name], signal);
    const base = await PinnedBase.pin(store, top.name, signal);
    await t.throwsAsync(base.checkChain([full.name], signal), {
      code: "NO_BASE",
      message: new RegExp(`${name} is about to be deleted`),
    });
    await base.release();
    await plan.remove();
    const again = await PinnedBase.pin(store, top.name, signal);
    await again.checkChain([full.name], signal);
    await again.release();
  }
});

test("a plan that cannot be read prevents an incremental", async (t) => {
  const { full, top, store } = newStore();
  await store.put(controlKey("plans", "x"), Buffer.from("?"));
  const base = await PinnedBase.pin(store, top.name, signal);
  await t.throwsAsync(base.checkChain([full.name], signal), {
    code: "NO_BASE",
    message: /plans\/x .* cannot be read/,
  });
  await base.release();
});

test("an incremental whose base was deleted meanwhile gets no manifest", async (t) => {
  const { full, top, store } = newStore();
  const base = await PinnedBase.pin(store, top.name, signal);
  await base.checkChain([full.name], signal);
  rmSync(join(full.folder, "MANIFEST.json"));
  await t.throwsAsync(base.checkBeforeManifest(signal), {
    code: "NO_BASE",
    message: new RegExp(`${full.name}, which this backup needs, was deleted`),
  });
  await base.release();
});
