import { readdirSync, utimesSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { pruneIncomplete } from "../../src/snapshots/prune.js";
import { StoreError } from "../../src/snapstore/errors.js";
import { LocalStore } from "../../src/snapstore/local/store.js";
import { newFolder } from "../support/folders.js";
import { forgeSnapshot } from "../support/stores/forged-snapshots.js";
import { SwitchableStore } from "../support/stores/switchable-store.js";

const HOUR = 3600;

/** Unfinished snapshots of these ages, seconds, in a store; the names that a prune of those older than a day removes. */
async function pruned(ages: readonly number[], options: { readonly full: boolean }) {
  const folder = newFolder();
  const now = Math.floor(Date.now() / 1000);
  const names = ages.map((age) => {
    const made = forgeSnapshot(folder, { time: now - age, unfinished: true });
    for (const file of readdirSync(made.folder)) {
      utimesSync(join(made.folder, file), now - age, now - age);
    }
    return made.name;
  });
  const store = new SwitchableStore(
    new LocalStore({ provider: "Local", container: folder, prefix: "" }),
  );
  store.before = (call) => {
    if (options.full && call === "put") {
      throw new StoreError("STORE_FULL", "no space left", { store: "test" });
    }
  };
  const removed: string[] = [];
  await pruneIncomplete(store, {
    olderThan: new Date((now - 24 * HOUR) * 1000),
    dryRun: false,
    signal: new AbortController().signal,
    onRemoved: ({ text }) => removed.push(text),
    onKept: () => {},
    onProtected: (name, error) => {
      throw new Error(`${name.text}: ${error.message}`);
    },
  });
  return { removed: removed.map((name) => ages[names.indexOf(name)]), folder };
}

test("unfinished snapshots that were written to within the time are kept", async (t) => {
  const { removed } = await pruned([72 * HOUR, 30 * HOUR, HOUR], { full: false });
  t.deepEqual(removed, [72 * HOUR, 30 * HOUR]);
});

test("a full store without a reserve is pruned by the last write of what is left over", async (t) => {
  // The newest is an hour old: what is 24 hours older than that goes.
  const { removed } = await pruned([72 * HOUR, 30 * HOUR, HOUR], { full: true });
  t.deepEqual(removed, [72 * HOUR, 30 * HOUR]);
  // Only 18 hours lie between the last write and the oldest: nothing tells that a day has passed.
  const young = await pruned([48 * HOUR, 30 * HOUR], { full: true });
  t.deepEqual(young.removed, []);
});
