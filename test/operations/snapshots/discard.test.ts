import { existsSync, readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { NotLeaderError } from "../../../src/errors.js";
import { discardUnfinished } from "../../../src/operations/snapshots/discard.js";
import type { WriteGuard } from "../../../src/snapstore/layers/guarded.js";
import { newFolder } from "../../support/folders.js";
import { forgeSnapshot } from "../../support/stores/forged-snapshots.js";

/** Two stores with files of one snapshot, which the secondary has without a manifest. */
function newStores(options: { readonly complete: boolean }) {
  const [primary, secondary] = [newFolder(), newFolder()];
  const time = 1000;
  const { name } = forgeSnapshot(primary, { time, unfinished: !options.complete });
  forgeSnapshot(secondary, { time, unfinished: true });
  const filesIn = (folder: string) =>
    existsSync(join(folder, name)) ? readdirSync(join(folder, name)).length : 0;
  return { primary, secondary, name, files: () => [filesIn(primary), filesIn(secondary)] };
}

async function discard(
  { primary, secondary, name }: { primary: string; secondary: string; name: string },
  guard?: WriteGuard,
): Promise<string[]> {
  const configOf = (container: string) => ({ provider: "Local" as const, container, prefix: "" });
  const reported: string[] = [];
  await discardUnfinished({ primary: configOf(primary), secondary: configOf(secondary) }, name, {
    signal: AbortSignal.timeout(60_000),
    report: ({ type }) => reported.push(type),
    guard,
  });
  return reported;
}

test("an unfinished snapshot is removed from both stores", async (t) => {
  const stores = newStores({ complete: false });
  t.deepEqual(await discard(stores), ["snapshot-deleted", "snapshot-deleted"]);
  t.deepEqual(stores.files(), [0, 0]);
});

test("what the secondary has of a snapshot that is complete in the primary stays", async (t) => {
  const stores = newStores({ complete: true });
  const before = stores.files();
  t.deepEqual(await discard(stores), []);
  t.deepEqual(stores.files(), before);
});

test("a process that must not write any more removes nothing", async (t) => {
  const stores = newStores({ complete: false });
  const before = stores.files();
  const check = (): void => {
    throw new NotLeaderError("another one leads");
  };
  const guard = { check, confirm: async () => check() };
  await t.throwsAsync(discard(stores, guard), { code: "NOT_LEADER" });
  t.deepEqual(stores.files(), before);
});

test("the secondary is left alone while the primary cannot be asked", async (t) => {
  const stores = newStores({ complete: false });
  const [, before] = stores.files();
  const loop = join(newFolder(), "loop");
  symlinkSync("loop", loop);
  await t.throwsAsync(discard({ ...stores, primary: join(loop, "x") }), { code: "STORE_FAILED" });
  t.is(stores.files()[1], before);
});
