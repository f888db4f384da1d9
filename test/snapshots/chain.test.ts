import { rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { findBases, checkBases } from "../../src/snapshots/chain.js";
import { findSnapshot } from "../../src/snapshots/catalog.js";
import { LocalStore } from "../../src/snapstore/local/store.js";
import { newFolder } from "../support/folders.js";
import { forgeSnapshot } from "../support/stores/forged-snapshots.js";
import { SwitchableStore } from "../support/stores/switchable-store.js";

const { signal } = new AbortController();

function newChain() {
  const folder = newFolder();
  const store = new LocalStore({ provider: "Local", container: folder, prefix: "" });
  const full = forgeSnapshot(folder, { time: 1000, sizes: [10, 20, 30] });
  const middle = forgeSnapshot(folder, { time: 2000, base: full });
  const top = forgeSnapshot(folder, { time: 3000, base: middle });
  const require = async (name: string) =>
    checkBases(store, await findSnapshot(store, name, signal), signal);
  return { folder, store, full, middle, top, require };
}

test("a complete chain can be a base", async (t) => {
  const { store, full, middle, top, require } = newChain();
  for (const { name } of [full, middle, top]) await t.notThrowsAsync(require(name));
  const bases = await findBases(store, await findSnapshot(store, top.name, signal), signal);
  t.deepEqual(
    bases.map(({ text }) => text),
    [middle.name, full.name],
  );
});

test("an incomplete chain cannot be a base, and the error names the problem", async (t) => {
  const breaks: readonly [(chain: ReturnType<typeof newChain>) => void, RegExp][] = [
    [
      ({ full }) => rmSync(full.folder, { recursive: true }),
      /^Incr-\S+-2000 is based on backup [0-9a-f]{32}, which is not in file:/,
    ],
    [
      ({ middle }) => rmSync(middle.folder, { recursive: true }),
      /^Incr-\S+-3000 is based on backup [0-9a-f]{32}, which is not in file:/,
    ],
    [
      ({ full }) => rmSync(join(full.folder, "MANIFEST.json")),
      /^Incr-\S+-2000 is based on backup [0-9a-f]{32}, which is not in file:/,
    ],
    [
      ({ full }) => writeFileSync(join(full.folder, "MANIFEST.json"), "{}"),
      /^Incr-\S+-2000 is based on backup [0-9a-f]{32}, which is not in file:/,
    ],
    [
      ({ full }) => rmSync(join(full.folder, "ARCHIVE00000.bin")),
      /^Incr-\S+-2000 is based on Full-\S+-1000, which is damaged in file:\S+ ARCHIVE00000\.bin: it is not there$/,
    ],
    [
      ({ full }) => {
        for (const file of ["ARCHIVE00000.bin", "METADATA.bin"]) {
          truncateSync(join(full.folder, file), 5);
        }
      },
      /^Incr-\S+-2000 is based on Full-\S+-1000, .*has 5 bytes, not the 20 of the manifest \(and 1 more\)$/,
    ],
  ];
  for (const [spoil, message] of breaks) {
    const chain = newChain();
    spoil(chain);
    await t.throwsAsync(chain.require(chain.top.name), { code: "NO_BASE", message });
    await t.notThrowsAsync(chain.require(forgeSnapshot(chain.folder, { time: 4000 }).name));
  }
});

test("a chain is found even if the clock was changed between its snapshots", async (t) => {
  for (const times of [
    [1000, 2000, 3000],
    [3000, 2000, 1000],
    [2000, 3000, 1000],
    [1000, 3000, 2000],
    [2000, 1000, 3000],
    [3000, 1000, 2000],
  ]) {
    const folder = newFolder();
    const local = new LocalStore({ provider: "Local", container: folder, prefix: "" });
    const store = new SwitchableStore(local);
    for (const time of [500, 1500, 2500, 3500]) forgeSnapshot(folder, { time });
    const [first = 0, second = 0, third = 0] = times;
    const full = forgeSnapshot(folder, { time: first });
    const middle = forgeSnapshot(folder, { time: second, base: full });
    const top = forgeSnapshot(folder, { time: third, base: middle });
    const found = await findSnapshot(store, top.name, signal);
    store.calls.length = 0;
    const bases = await findBases(store, found, signal);
    t.deepEqual(
      bases.map(({ text }) => text),
      [middle.name, full.name],
    );
    t.true(store.keysOf("get").length <= 7, `${store.keysOf("get")}`);
    await t.notThrowsAsync(checkBases(store, found, signal));
  }
});

test("the search of a cyclic chain ends", async (t) => {
  const folder = newFolder();
  const store = new LocalStore({ provider: "Local", container: folder, prefix: "" });
  const id = "0".repeat(32);
  const one = forgeSnapshot(folder, { time: 1000, base: { id, name: "", folder: "" } });
  const two = forgeSnapshot(folder, { time: 2000, base: one, id });
  for (const { name } of [one, two]) {
    const found = await findSnapshot(store, name, signal);
    await t.throwsAsync(findBases(store, found, signal), { code: "NO_SNAPSHOT" });
  }
});
