import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import test from "ava";
import { FileThread } from "../../src/threads/file-thread.js";
import { deleteSnapshot, checkNotNeeded } from "../../src/snapshots/delete.js";
import { pruneIncomplete } from "../../src/snapshots/prune.js";
import { pinSnapshot } from "../../src/snapshots/control/pins.js";
import { publishPlan } from "../../src/snapshots/control/plans.js";
import type { ReadSelection } from "../../src/snapshots/read-selection.js";
import { findSnapshot, listSnapshots } from "../../src/snapshots/catalog.js";
import { verifySnapshot } from "../../src/snapshots/verify.js";
import { LocalStore } from "../../src/snapstore/local/store.js";
import { newFolder } from "../support/folders.js";
import { age, forgeSnapshot } from "../support/stores/forged-snapshots.js";
import { SwitchableStore } from "../support/stores/switchable-store.js";

const { signal } = new AbortController();

function newStore(): { folder: string; store: SwitchableStore } {
  const folder = newFolder();
  const local = new LocalStore({ provider: "Local", container: folder, prefix: "" });
  return { folder, store: new SwitchableStore(local) };
}

test("a listing is sorted by time, reports unfinished and damaged snapshots, and ignores other folders", async (t) => {
  const { folder, store } = newStore();
  const full = forgeSnapshot(folder, { time: 2000, last: 7, sizes: [10, 20, 30] });
  const over = forgeSnapshot(folder, { time: 3000, first: 8, last: 9, base: full });
  const early = forgeSnapshot(folder, { time: 1000, unfinished: true, sizes: [5, 6] });
  const short = forgeSnapshot(folder, { time: 4000 });
  truncateSync(join(short.folder, "ARCHIVE00000.bin"), 10);
  const odd = forgeSnapshot(folder, { time: 5000 });
  writeFileSync(join(odd.folder, "MANIFEST.json"), "{}");
  const misnamed = forgeSnapshot(folder, { time: 6000, base: full, last: 1 });
  mkdirSync(join(folder, "Full-00000001-00000001-7000"));
  for (const file of readdirSync(misnamed.folder)) {
    const bytes = `${file === "MANIFEST.json" ? await text(store, `${misnamed.name}/${file}`) : ""}`;
    writeFileSync(join(folder, "Full-00000001-00000001-7000", file), bytes);
  }
  mkdirSync(join(folder, "lost+found"));
  writeFileSync(join(folder, "lost+found", "x"), "");
  const listed = await listSnapshots(store, signal);
  t.deepEqual(
    listed.map(({ name, state }) => [name.text, state]),
    [
      [early.name, "unfinished"],
      [full.name, "complete"],
      [over.name, "complete"],
      [short.name, "damaged"],
      [odd.name, "damaged"],
      [misnamed.name, "complete"],
      ["Full-00000001-00000001-7000", "damaged"],
    ],
  );
  const [first, second, third, fourth] = listed;
  t.regex(listed.at(-1)?.problem ?? "", /kind incremental/);
  t.is(first?.left?.files, 3);
  t.is(first?.left?.bytes, 12);
  t.is(second?.facts?.bytes, 61);
  t.is(second?.facts?.files, 4);
  const manifest = readFileSync(join(full.folder, "MANIFEST.json"));
  t.is(second?.facts?.digest, createHash("sha256").update(manifest).digest("hex"));
  t.is(third?.facts?.base, full.id);
  t.regex(
    fourth?.problem ?? "",
    /^ARCHIVE00000\.bin: it has 10 bytes, not the 300 of the manifest/,
  );
});

async function text(store: SwitchableStore, key: string): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of store.get(key)) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

test("a late listing does not make a snapshot look damaged", async (t) => {
  const { folder, store } = newStore();
  const { name } = forgeSnapshot(folder, { time: 1000 });
  const list = store.list.bind(store);
  store.list = async (prefix, options) => {
    const page = await list(prefix, options);
    return { ...page, objects: page.objects.filter(({ key }) => !key.includes("ARCHIVE")) };
  };
  t.is((await findSnapshot(store, name, signal)).state, "complete");
});

test("latest is the newest complete snapshot; invalid and missing names are errors", async (t) => {
  const { folder, store } = newStore();
  await t.throwsAsync(findSnapshot(store, "latest", signal), { code: "NO_SNAPSHOT" });
  const good = forgeSnapshot(folder, { time: 1000 });
  forgeSnapshot(folder, { time: 3000, unfinished: true });
  rmSync(join(forgeSnapshot(folder, { time: 2000 }).folder, "METADATA.bin"));
  t.is((await findSnapshot(store, "latest", signal)).name.text, good.name);
  await t.throwsAsync(findSnapshot(store, "../x", signal), { code: "USAGE" });
  await t.throwsAsync(findSnapshot(store, "Full-00000000-00000000-9", signal), {
    code: "NO_SNAPSHOT",
  });
});

test("the base of another snapshot is not deleted, nor of one that is being written", async (t) => {
  const { folder, store } = newStore();
  const full = forgeSnapshot(folder, { time: 1000, last: 7 });
  const over = forgeSnapshot(folder, { time: 2000, first: 8, last: 9, base: full });
  const writing = forgeSnapshot(folder, {
    time: 3000,
    first: 10,
    last: 11,
    base: over,
    unfinished: true,
  });
  const code = async (name: string): Promise<string> => {
    try {
      checkNotNeeded(await findSnapshot(store, name, signal), await listSnapshots(store, signal));
      return "free";
    } catch (error) {
      return error instanceof Error && "code" in error ? String(error.code) : "?";
    }
  };
  t.is(await code(full.name), "SNAPSHOT_NEEDED");
  t.is(await code(over.name), "SNAPSHOT_NEEDED");
  t.is(await code(writing.name), "free");
  await deleteSnapshot(store, writing.name, { dryRun: false, signal });
  t.is(await code(over.name), "free");
  await deleteSnapshot(store, over.name, { dryRun: false, signal });
  t.is(await code(full.name), "free");
});

test("the base of an incremental that is being written is not deleted, whatever its etcd did meanwhile", async (t) => {
  const ranges: Readonly<Record<string, readonly [number, number]>> = {
    "wrote between the base's name and its reading": [12, 30],
    "wrote nothing since the base was read": [9, 9],
    "was set back": [3, 3],
    "is left out": [0, 0],
  };
  for (const [what, [first, last]] of Object.entries(ranges)) {
    for (const spoilt of [false, true]) {
      const { folder, store } = newStore();
      const base = forgeSnapshot(folder, { time: 1000, last: 9 });
      const after = forgeSnapshot(folder, { time: 3000, last: 40 });
      const over = { time: 2000, first, last, base };
      const writing = forgeSnapshot(folder, { ...over, unfinished: !spoilt });
      if (spoilt) writeFileSync(join(writing.folder, "MANIFEST.json"), "{}");
      const all = await listSnapshots(store, signal);
      const refuse = async (name: string) =>
        checkNotNeeded(await findSnapshot(store, name, signal), all);
      await t.throwsAsync(refuse(base.name), { code: "SNAPSHOT_NEEDED" }, what);
      await t.notThrowsAsync(refuse(after.name), what);
    }
  }
});

test("a snapshot that ends after the first revision of an unfinished incremental can be deleted", async (t) => {
  const { folder, store } = newStore();
  const other = forgeSnapshot(folder, { time: 1000, last: 90 });
  const base = forgeSnapshot(folder, { time: 1500, last: 9 });
  forgeSnapshot(folder, { time: 2000, first: 10, last: 30, base, unfinished: true });
  const found = await findSnapshot(store, other.name, signal);
  await t.notThrowsAsync(async () => checkNotNeeded(found, await listSnapshots(store, signal)));
});

test("an interrupted deletion leaves nothing that looks complete, and can be repeated", async (t) => {
  const { folder, store } = newStore();
  const { name, folder: files } = forgeSnapshot(folder, { time: 1000, sizes: [1, 2, 3, 4] });
  const dry = await deleteSnapshot(store, name, { dryRun: true, signal });
  t.deepEqual(dry, { files: 6, bytes: dry.bytes });
  t.is(readdirSync(files).length, 6);
  store.before = (call, key) => {
    if (call === "delete" && !key.endsWith("MANIFEST.json")) throw new Error("broken off");
  };
  await t.throwsAsync(deleteSnapshot(store, name, { dryRun: false, signal }));
  t.is((await findSnapshot(store, name, signal)).state, "unfinished");
  store.before = () => {};
  await deleteSnapshot(store, name, { dryRun: false, signal });
  t.false(existsSync(files));
});

test("a snapshot with a locked file is not deleted", async (t) => {
  const { folder, store } = newStore();
  const { name, folder: files } = forgeSnapshot(folder, { time: 1000 });
  store.capabilities = { ...store.capabilities, locks: "head" };
  const head = store.head.bind(store);
  store.head = async (key) => {
    const object = await head(key);
    const lockedUntil = new Date(Date.now() + 60_000);
    return object && key.endsWith("ARCHIVE00000.bin") ? { ...object, lockedUntil } : object;
  };
  await t.throwsAsync(deleteSnapshot(store, name, { dryRun: false, signal }), {
    code: "STORE_IMMUTABLE",
  });
  t.is(readdirSync(files).length, 4);
});

test("pruning removes old unfinished snapshots, and nothing else", async (t) => {
  const { folder, store } = newStore();
  const now = Math.floor(Date.now() / 1000);
  const complete = forgeSnapshot(folder, { time: 1000 });
  const old = forgeSnapshot(folder, { time: 2000, unfinished: true });
  const active = forgeSnapshot(folder, { time: 3000, unfinished: true });
  const young = forgeSnapshot(folder, { time: now, unfinished: true });
  const future = forgeSnapshot(folder, { time: now + 86_400, unfinished: true });
  for (const { folder: of } of [old, young, future]) {
    for (const file of readdirSync(of)) age(join(of, file), 2000);
  }
  age(join(active.folder, "METADATA.bin"), 3000);
  const prune = async (dryRun: boolean) => {
    const removed: string[] = [];
    const kept: string[] = [];
    await pruneIncomplete(store, {
      olderThan: new Date(Date.now() - 3600_000),
      dryRun,
      signal,
      onRemoved: ({ text: name }) => removed.push(name),
      onKept: ({ text: name }) => kept.push(name),
      onProtected: () => t.fail(),
    });
    return { removed, kept };
  };
  const expected = { removed: [old.name, future.name], kept: [active.name, young.name] };
  t.deepEqual(await prune(true), expected);
  t.true(existsSync(old.folder));
  t.deepEqual(await prune(false), expected);
  t.false(existsSync(old.folder));
  for (const { folder: of } of [complete, active, young]) t.true(existsSync(of));
});

test("pruning keeps the uploads of a run that takes longer than the grace period", async (t) => {
  const { folder, store } = newStore();
  const day = 86_400;
  const begun = Math.floor(Date.now() / 1000) - 2 * day;
  const running = forgeSnapshot(folder, { time: begun, unfinished: true });
  const dead = forgeSnapshot(folder, { time: begun + 1, unfinished: true });
  const done = forgeSnapshot(folder, { time: begun + 2 });
  age(join(running.folder, "METADATA.bin"), begun);
  for (const file of readdirSync(dead.folder)) age(join(dead.folder, file), begun);
  const upload = (at: string) => join(at, ".part-0123456789abcdef");
  for (const at of [running.folder, dead.folder, done.folder]) {
    writeFileSync(upload(at), "x");
    age(upload(at), begun);
  }
  const aborted = await pruneIncomplete(store, {
    olderThan: new Date(Date.now() - day * 1000),
    dryRun: false,
    signal,
    onRemoved: () => {},
    onKept: () => {},
    onProtected: () => {},
  });
  t.is(aborted, 2);
  t.true(existsSync(upload(running.folder)));
  for (const at of [dead.folder, done.folder]) t.false(existsSync(upload(at)));
});

test("a clock that is days ahead of the store's lets pruning remove nothing that is at work", async (t) => {
  const { folder, store } = newStore();
  // By the store's clock all of it is new; this machine is three days ahead.
  store.clockAheadMs = -3 * 86_400_000;
  const running = forgeSnapshot(folder, {
    time: Math.floor(Date.now() / 1000) - 3 * 86_400,
    unfinished: true,
  });
  const pin = await pinSnapshot(store, "Full-00000000-00000000-1000", signal);
  const plan = await publishPlan(store, ["Full-00000000-00000000-1000"], signal);
  const kept: string[] = [];
  await pruneIncomplete(store, {
    olderThan: new Date(Date.now() - 86_400_000),
    dryRun: false,
    signal,
    onRemoved: ({ text }) => t.fail(text),
    onKept: ({ text }) => kept.push(text),
    onProtected: () => t.fail(),
  });
  t.deepEqual(kept, [running.name]);
  const files = (await store.list(".backuptool/")).objects.map(({ key }) => key.split("/")[1]);
  t.deepEqual(files, ["pins", "plans"]);
  await pin.release();
  await plan.remove();
});

test("pruning keeps a snapshot that was completed in the meantime", async (t) => {
  const { folder, store } = newStore();
  const late = forgeSnapshot(folder, { time: 1000 });
  for (const file of readdirSync(late.folder)) age(join(late.folder, file), 1000);
  let asked = 0;
  const get = store.get.bind(store);
  // The listing comes before the manifest.
  store.get = (key, options) =>
    get(asked++ === 0 ? key.replace("MANIFEST.json", "ARCHIVE99999.bin") : key, options);
  const removed: string[] = [];
  await pruneIncomplete(store, {
    olderThan: new Date(),
    dryRun: false,
    signal,
    onRemoved: ({ text: name }) => removed.push(name),
    onKept: () => {},
    onProtected: () => {},
  });
  t.deepEqual(removed, []);
  t.is(readdirSync(late.folder).length, 4);
});

test("verification finds changed, short and missing files, and reads only the selected ones", async (t) => {
  const { folder, store } = newStore();
  // Ten files, with INDEX.bin.
  const sizes = Array.from({ length: 9 }, (_, i) => 1000 + i);
  const { name, folder: files } = forgeSnapshot(folder, { time: 1000, sizes });
  const thread = new FileThread();
  const verify = async (selection: ReadSelection) => {
    store.calls.length = 0;
    const damages: string[] = [];
    const result = await verifySnapshot(store, name, {
      selection,
      thread,
      signal,
      onProgress: () => {},
      onDamage: ({ file }) => damages.push(file),
    });
    const read = store.keysOf("get").filter((key) => !key.endsWith("MANIFEST.json"));
    t.is(read.length, result.filesRead);
    t.is(result.damaged, damages.length);
    return { damages: damages.sort(), read };
  };
  t.deepEqual(await verify({ kind: "none" }), { damages: [], read: [] });
  t.is((await verify({ kind: "all" })).read.length, 10);
  t.is((await verify({ kind: "percent", percent: 5 })).read.length, 1);
  t.is((await verify({ kind: "percent", percent: 25 })).read.length, 3);
  const read: string[] = [];
  for (const slice of [1, 2, 3]) {
    read.push(...(await verify({ kind: "slice", slice, slices: 3 })).read);
  }
  t.is(new Set(read).size, 10);
  writeFileSync(join(files, "ARCHIVE00003.bin"), Buffer.alloc(1004));
  t.deepEqual((await verify({ kind: "none" })).damages, []);
  t.deepEqual((await verify({ kind: "all" })).damages, ["ARCHIVE00003.bin"]);
  rmSync(join(files, "ARCHIVE00001.bin"));
  truncateSync(join(files, "ARCHIVE00002.bin"), 5);
  t.deepEqual((await verify({ kind: "none" })).damages, ["ARCHIVE00001.bin", "ARCHIVE00002.bin"]);
  t.is((await verify({ kind: "all" })).damages.length, 3);
  await thread.close();
});

test("verification rejects an unfinished snapshot", async (t) => {
  const { folder, store } = newStore();
  const { name } = forgeSnapshot(folder, { time: 1000, unfinished: true });
  const thread = new FileThread();
  await t.throwsAsync(
    verifySnapshot(store, name, {
      selection: { kind: "none" },
      thread,
      signal,
      onProgress: () => {},
      onDamage: () => {},
    }),
    { code: "UNFINISHED_BACKUP" },
  );
  await thread.close();
});
