import { createHash } from "node:crypto";
import test from "ava";
import fc from "fast-check";
import { encodeManifest } from "../../src/archive/manifest/manifest.js";
import { CachedCatalog } from "../../src/snapshots/cached-catalog.js";
import { listSnapshots } from "../../src/snapshots/catalog.js";
import { deleteSnapshot } from "../../src/snapshots/delete.js";
import { snapshotName } from "../../src/snapshots/name.js";
import { MemoryStore } from "../support/stores/memory-store.js";
import { SwitchableStore } from "../support/stores/switchable-store.js";

const { signal } = new AbortController();

/** Names of snapshots: two of a second, and one without etcd. */
const NAMES = [
  { kind: "full", firstRevision: 0, lastRevision: 9, time: 1000 },
  { kind: "incremental", firstRevision: 10, lastRevision: 12, time: 1000 },
  { kind: "full", firstRevision: 0, lastRevision: 0, time: 20_000 },
] as const;

/** Files of a snapshot, whose content is a function of the seed. */
function filesOf(index: number, seed: number, archives: number): Map<string, Buffer> {
  const facts = NAMES[index % NAMES.length] ?? NAMES[0];
  const names = [
    ...Array.from({ length: archives }, (_, i) => `ARCHIVE${String(i).padStart(5, "0")}.bin`),
    "INDEX.bin",
    "METADATA.bin",
  ];
  const files = new Map(names.map((name, i) => [name, Buffer.alloc(1 + ((seed + i) % 3), seed)]));
  const at = new Date(facts.time * 1000).toISOString();
  const manifest = encodeManifest({
    format: 1,
    id: seed.toString(16).padStart(32, "0"),
    kind: facts.kind,
    base: facts.kind === "full" ? null : "0".repeat(32),
    startedAt: at,
    finishedAt: at,
    files: [...files].map(([name, bytes]) => ({
      name,
      size: bytes.length,
      sha256: createHash("sha256").update(bytes).digest("hex"),
    })),
  });
  return files.set("MANIFEST.json", Buffer.from(manifest));
}

function nameOf(index: number): string {
  return snapshotName(NAMES[index % NAMES.length] ?? NAMES[0]).text;
}

async function write(store: MemoryStore, index: number, seed: number, archives = 1): Promise<void> {
  for (const [file, bytes] of filesOf(index, seed, archives)) {
    await store.put(`${nameOf(index)}/${file}`, bytes);
  }
}

function counted(): { inner: MemoryStore; store: SwitchableStore; catalog: CachedCatalog } {
  const inner = new MemoryStore();
  const store = new SwitchableStore(inner);
  return { inner, store, catalog: new CachedCatalog(store) };
}

const FILES = [
  "ARCHIVE00000.bin",
  "ARCHIVE00001.bin",
  "INDEX.bin",
  "METADATA.bin",
  "MANIFEST.json",
];
const OTHER_KEYS = ["Full", "a/b", "Full-00000000-00000009-1000x/y", "zz", "Full-1/2"];

type Change =
  | { do: "write"; index: number; seed: number; archives: number }
  | { do: "remove" | "hide" | "show"; index: number; file: number }
  | { do: "put"; index: number; file: number; byte: number; size: number }
  | { do: "delete"; index: number }
  | { do: "foreign"; index: number; key: string }
  | { do: "object"; index: number; there: boolean }
  | { do: "other"; key: number };

const index = fc.nat(NAMES.length - 1);
const file = fc.nat(FILES.length - 1);
const CHANGES: fc.Arbitrary<Change> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("write" as const),
      index,
      seed: fc.nat(40),
      archives: fc.integer({ min: 1, max: 2 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom("remove" as const, "hide" as const, "show" as const),
      index,
      file,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("put" as const),
      index,
      file,
      byte: fc.nat(3),
      size: fc.nat(3),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("delete" as const), index }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("foreign" as const),
      index,
      key: fc.constantFrom("a", "0000001", "z/y", ".DS_Store"),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("object" as const), index, there: fc.boolean() }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("other" as const), key: fc.nat(OTHER_KEYS.length - 1) }),
  },
);

async function apply(store: MemoryStore, change: Change): Promise<void> {
  switch (change.do) {
    case "write":
      return await write(store, change.index, change.seed, change.archives);
    case "remove":
      return await store.delete(`${nameOf(change.index)}/${FILES[change.file]}`);
    case "hide":
      store.hidden.add(`${nameOf(change.index)}/${FILES[change.file]}`);
      return;
    case "show":
      store.hidden.delete(`${nameOf(change.index)}/${FILES[change.file]}`);
      return;
    case "put": {
      const { byte, size } = change;
      const key = `${nameOf(change.index)}/${FILES[change.file]}`;
      return await store.put(key, Buffer.alloc(size, byte));
    }
    case "delete":
      await deleteSnapshot(store, nameOf(change.index), { dryRun: false, signal }).catch(() => {});
      return;
    case "foreign":
      return await store.put(`${nameOf(change.index)}/${change.key}`, Buffer.of(1));
    case "object":
      if (change.there) await store.put(nameOf(change.index), Buffer.of(1));
      else await store.delete(nameOf(change.index));
      return;
    case "other":
      return await store.put(OTHER_KEYS[change.key] ?? "x", Buffer.of(1));
  }
}

test("whatever changes, the cached catalog lists what an uncached one does", async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(CHANGES, { maxLength: 4 }), { minLength: 1, maxLength: 10 }),
      async (rounds) => {
        const { inner, catalog } = counted();
        for (const changes of rounds) {
          for (const change of changes) await apply(inner, change);
          t.deepEqual(await catalog.list(signal), await listSnapshots(inner, signal));
        }
      },
    ),
    { numRuns: 150 },
  );
});

test("a listing of unchanged snapshots makes listing requests alone", async (t) => {
  const { inner, store, catalog } = counted();
  for (const [i] of NAMES.entries()) await write(inner, i, i);
  const first = await catalog.list(signal);
  t.is(first.filter(({ state }) => state === "complete").length, 3);
  store.calls.length = 0;
  t.deepEqual(await catalog.list(signal), first);
  t.deepEqual(store.calls, [{ call: "list", key: "" }]);
});

test("a changed snapshot alone is read again", async (t) => {
  const { inner, store, catalog } = counted();
  for (const [i] of NAMES.entries()) await write(inner, i, i);
  await catalog.list(signal);
  await write(inner, 2, 33);
  store.calls.length = 0;
  const listed = await catalog.list(signal);
  t.is(listed.at(-1)?.facts?.id, (33).toString(16).padStart(32, "0"));
  t.deepEqual(store.keysOf("get"), [`${nameOf(2)}/MANIFEST.json`]);
});

test("a snapshot that a listing does not show whole is read each time", async (t) => {
  for (const file of FILES.filter((name) => name !== "ARCHIVE00001.bin")) {
    const { inner, store, catalog } = counted();
    await write(inner, 0, 1);
    inner.hidden.add(`${nameOf(0)}/${file}`);
    t.is((await catalog.list(signal))[0]?.state, "complete", file);
    // Its deletion changes nothing in the listing.
    await inner.delete(`${nameOf(0)}/${file}`);
    inner.hidden.add(`${nameOf(0)}/${file}`);
    const [after] = await catalog.list(signal);
    t.not(after?.state, "complete", file);
    t.true(store.keysOf("get").length >= 2);
  }
});

test("unfinished and damaged snapshots are read each time", async (t) => {
  const { inner, store, catalog } = counted();
  await write(inner, 0, 1);
  await write(inner, 1, 1);
  await inner.delete(`${nameOf(0)}/MANIFEST.json`);
  await inner.delete(`${nameOf(1)}/INDEX.bin`);
  const states = async () => (await catalog.list(signal)).map(({ state }) => state);
  t.deepEqual(await states(), ["unfinished", "damaged"]);
  store.calls.length = 0;
  t.deepEqual(await states(), ["unfinished", "damaged"]);
  t.is(store.keysOf("get").length, 2);
});

test("a failed listing throws, and what was read before it is kept", async (t) => {
  const { inner, store, catalog } = counted();
  for (const [i] of NAMES.entries()) await write(inner, i, i);
  store.before = (call, key) => {
    if (call === "get" && key.startsWith(nameOf(2))) throw new Error("broken off");
  };
  await t.throwsAsync(catalog.list(signal), { message: "broken off" });
  store.before = () => {};
  store.calls.length = 0;
  t.is((await catalog.list(signal)).length, 3);
  t.deepEqual(store.keysOf("get"), [`${nameOf(2)}/MANIFEST.json`]);
});

test("folders are listed one by one in a store with many other objects, or without an order of keys", async (t) => {
  const many = counted();
  for (let i = 0; i < 101_000; i++) {
    many.inner.objects.set(`A/${String(i).padStart(6, "0")}`, {
      bytes: Buffer.of(),
      modified: new Date(0),
      tag: "",
    });
  }
  const unordered = counted();
  const list = unordered.inner.list.bind(unordered.inner);
  unordered.inner.list = async (prefix, options) => {
    const page = await list(prefix, options);
    return { ...page, objects: page.objects.toReversed() };
  };
  for (const { inner, store, catalog } of [many, unordered]) {
    for (const [i] of NAMES.entries()) await write(inner, i, i);
    const expected = await listSnapshots(inner, signal);
    t.deepEqual(await catalog.list(signal), expected);
    store.calls.length = 0;
    t.deepEqual(await catalog.list(signal), expected);
    const folders = NAMES.map((_, i) => `${nameOf(i)}/`);
    t.deepEqual(store.keysOf("list").sort(), ["", ...folders].sort());
    t.deepEqual(store.keysOf("get"), []);
  }
});

test("two listings at once read each manifest once", async (t) => {
  const { inner, store, catalog } = counted();
  for (const [i] of NAMES.entries()) await write(inner, i, i);
  const [one, other] = await Promise.all([catalog.list(signal), catalog.list(signal)]);
  t.deepEqual(one, other);
  t.is(store.keysOf("get").length, 3);
});

test("a store that lists more snapshots than a server can hold is an error", async (t) => {
  class Endless extends MemoryStore {
    override async list(_prefix: string, { cursor = "10000000" } = {}) {
      const objects = Array.from({ length: 1000 }, (_, i) => {
        const key = `Full-00000000-00000000-${Number(cursor) + i}/INDEX.bin`;
        return { key, size: 1, modified: new Date(0) };
      });
      return { objects, folders: [], next: String(Number(cursor) + 1000) };
    }
  }
  const catalog = new CachedCatalog(new Endless());
  await t.throwsAsync(catalog.list(signal), {
    code: "STORE_FAILED",
    message: /more than 100000 snapshots/,
  });
});
