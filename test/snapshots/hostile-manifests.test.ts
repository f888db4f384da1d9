import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { FileThread } from "../../src/threads/file-thread.js";
import { archiveName } from "../../src/archive/format.js";
import { decodeManifest, encodeManifest } from "../../src/archive/manifest/manifest.js";
import { copyStore } from "../../src/replication/copy/store.js";
import { listSnapshots } from "../../src/snapshots/catalog.js";
import { verifySnapshot } from "../../src/snapshots/verify.js";
import { LocalStore } from "../../src/snapstore/local/store.js";
import { newFolder } from "../support/folders.js";
import { type ForgedSnapshot, forgeSnapshot } from "../support/stores/forged-snapshots.js";
import { SwitchableStore } from "../support/stores/switchable-store.js";

const { signal } = new AbortController();

function newStore(): { folder: string; store: SwitchableStore } {
  const folder = newFolder();
  const local = new LocalStore({ provider: "Local", container: folder, prefix: "" });
  return { folder, store: new SwitchableStore(local) };
}

/** A snapshot with one small ARCHIVE file, whose manifest names `more` missing ones. */
function forgeWithAbsent(folder: string, time: number, more: number): ForgedSnapshot {
  const forged = forgeSnapshot(folder, { time });
  const path = join(forged.folder, "MANIFEST.json");
  const { files, ...facts } = decodeManifest(readFileSync(path));
  const absent = Array.from({ length: more }, (_, i) => ({
    name: archiveName(i + 1),
    size: 1,
    sha256: "0".repeat(64),
  }));
  const all = [...files.slice(0, 1), ...absent, ...files.slice(1)];
  writeFileSync(path, encodeManifest({ ...facts, files: all }));
  return forged;
}

test("a manifest with 100,000 missing files costs a few requests for each listing", async (t) => {
  const { folder, store } = newStore();
  const forged = forgeWithAbsent(folder, 1000, 99_999);
  const [listed] = await listSnapshots(store, signal);
  t.is(listed?.state, "damaged");
  t.is(listed?.facts?.files, 100_002);
  t.is(listed?.problem, "ARCHIVE00001.bin: it is not there (and 99998 more)");
  // Requests in flight are added to the limit.
  t.true(store.keysOf("head").length < 20, `${store.keysOf("head").length}`);
  t.true(store.calls.length < 30, `${store.calls.length}`);
  store.calls.length = 0;
  const thread = new FileThread();
  const damages: string[] = [];
  const verified = await verifySnapshot(store, forged.name, {
    selection: { kind: "all" },
    thread,
    signal,
    onProgress: () => {},
    onDamage: ({ file }) => damages.push(file),
  });
  await thread.close();
  t.is(verified.damaged, 99_999);
  t.is(damages.length, 99_999);
  t.true(store.keysOf("head").length < 20);
});

test("files that a late listing lacks are requested by name, as long as they exist", async (t) => {
  const { folder, store } = newStore();
  const forged = forgeSnapshot(folder, { time: 1000, sizes: Array.from({ length: 40 }, () => 1) });
  const list = store.list.bind(store);
  store.list = async (prefix, options) => ({ ...(await list(prefix, options)), objects: [] });
  const thread = new FileThread();
  const verified = await verifySnapshot(store, forged.name, {
    selection: { kind: "none" },
    thread,
    signal,
    onProgress: () => {},
    onDamage: () => {},
  });
  await thread.close();
  t.is(verified.damaged, 0);
  t.is(store.keysOf("head").length, 41);
});

test("only one large manifest is in memory at a time, of both stores", async (t) => {
  const [one, other] = [newStore(), newStore()];
  const log: { kind: "begun" | "used"; of: string }[] = [];
  for (const { folder, store } of [one, other]) {
    for (const time of [1000, 2000, 3000, 4000]) forgeWithAbsent(folder, time, 3000);
    forgeSnapshot(folder, { time: 5000 });
    const gets = new Map<string, number>();
    store.before = (call, key) => {
      const of = `${folder} ${key.split("/")[0]}`;
      if (call === "get") {
        const nth = (gets.get(key) ?? 0) + 1;
        gets.set(key, nth);
        // The first read shows whether it is large.
        if (nth === 2) log.push({ kind: "begun", of });
      } else if (key !== "") log.push({ kind: "used", of });
    };
  }
  const [listed] = await Promise.all([one, other].map(({ store }) => listSnapshots(store, signal)));
  const states = listed?.map(({ state }) => state);
  t.deepEqual(states, ["damaged", "damaged", "damaged", "damaged", "complete"]);
  const large = log.filter(({ of }) => !of.endsWith("-5000"));
  t.is(large.filter(({ kind }) => kind === "begun").length, 8);
  let held = "";
  for (const { kind, of } of large) {
    if (kind === "begun") held = of;
    else t.is(of, held);
  }
});

test("of an invalid manifest only the first piece is read", async (t) => {
  const { folder, store } = newStore();
  const parts = ["[{},", '{\n  "format": 1,\n', "x", "\n", '{"format":1,"startedAt":"'];
  for (const [i, part] of parts.entries()) {
    const hostile = join(folder, `Full-00000000-00000000-${1000 + i}`);
    mkdirSync(hostile);
    writeFileSync(join(hostile, "MANIFEST.json"), part.repeat(Math.ceil((4 << 20) / part.length)));
  }
  let read = 0;
  store.spoil = (_, piece) => {
    read += piece.length;
    return piece;
  };
  const listed = await listSnapshots(store, signal);
  t.deepEqual(
    listed.map(({ state }) => state),
    parts.map(() => "damaged"),
  );
  t.true(read <= parts.length * (256 << 10), `${read} bytes`);
});

test("large snapshots are copied unchanged", async (t) => {
  const [from, to] = [newStore(), newStore()];
  const sizes = Array.from({ length: 1800 }, (_, i) => 1 + (i % 7));
  const forged = [1000, 2000].map((time) => forgeSnapshot(from.folder, { time, sizes }));
  // The files exist already; only the manifests are copied.
  cpSync(from.folder, to.folder, { recursive: true });
  for (const { name } of forged) rmSync(join(to.folder, name, "MANIFEST.json"));
  const totals = await copyStore(
    from.store,
    to.store,
    {
      limits: {},
      maxParallelCopies: 5,
      minChunkBytes: 5 << 20,
      maxParallelChunks: 2,
      retries: { maxRetries: 0, backoffMs: 1 },
      signal,
    },
    { onProgress: () => {}, onCopied: () => {}, onFailed: (_, error) => t.fail(error.message) },
  );
  t.is(totals.copied, 2);
  for (const { name, folder } of forged) {
    const manifest = readFileSync(join(folder, "MANIFEST.json"));
    t.true(manifest.length > 256 << 10);
    t.deepEqual(readFileSync(join(to.folder, name, "MANIFEST.json")), manifest);
  }
});
