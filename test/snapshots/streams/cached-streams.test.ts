import test from "ava";
import fc from "fast-check";
import { CachedCatalog } from "../../../src/snapshots/cached-catalog.js";
import {
  listStore,
  outlineStore,
  type StoreContents,
  type StoreOutline,
} from "../../../src/snapshots/list-store.js";
import { deltaName } from "../../../src/snapshots/streams/delta-name.js";
import { StoreError } from "../../../src/snapstore/errors.js";
import { MemoryStore } from "../../support/stores/memory-store.js";
import {
  deltasFrom,
  idOf,
  nameOf,
  putBase,
  putDeltas,
} from "../../support/stores/stored-streams.js";
import { SwitchableStore } from "../../support/stores/switchable-store.js";

const { signal } = new AbortController();

/** Streams of a second, and one that is older; each with the number of its id. */
const STREAMS = [
  { text: nameOf(5, 2000, 1), first: 5, id: idOf(1) },
  { text: nameOf(5, 2000, 2), first: 5, id: idOf(2) },
  { text: nameOf(9, 1000, 3), first: 9, id: idOf(3) },
];
const BASE_FILES = ["ARCHIVE00000.bin", "INDEX.bin", "METADATA.bin", "MANIFEST.json"];

function counted(): { inner: MemoryStore; store: SwitchableStore; catalog: CachedCatalog } {
  const inner = new MemoryStore();
  const store = new SwitchableStore(inner);
  return { inner, store, catalog: new CachedCatalog(store) };
}

/** With deltas as values that can be compared. */
function plain({ snapshots, streams }: StoreContents): unknown {
  return { snapshots, streams: streams.map((one) => ({ ...one, deltas: [...one.deltas] })) };
}

/** What an outline has of it. */
function outlineOf({ snapshots, streams }: StoreOutline): unknown {
  const withTimes = streams.map((one) => {
    const { length, bytes, newest } = one.deltas;
    const times = Array.from(one.deltas, ({ time }) => time);
    return { ...one, deltas: { length, bytes, newest, times } };
  });
  return { snapshots, streams: withTimes };
}

const change = fc.record({
  how: fc.constantFrom("delta", "no delta", "base", "no base file", "hide", "foreign", "object"),
  stream: fc.nat(STREAMS.length - 1),
  number: fc.nat(4),
  there: fc.boolean(),
});

async function apply(
  store: MemoryStore,
  {
    how,
    stream: index,
    number,
    there,
  }: { how: string; stream: number; number: number; there: boolean },
): Promise<void> {
  const stream = STREAMS[index] ?? STREAMS[0];
  if (stream === undefined) return;
  const { text, first, id } = stream;
  const delta = deltasFrom(first, [1, 2, 1, 3, 1])[number];
  const file = BASE_FILES[number % BASE_FILES.length] ?? "";
  switch (how) {
    case "delta":
      return delta && (await putDeltas(store, text, [delta]));
    case "no delta":
      return delta && (await store.delete(`${text}/${deltaName(delta)}`));
    case "base":
      return await putBase(store, text, there ? id : idOf(77));
    case "no base file":
      return await store.delete(`${text}/${file}`);
    case "hide":
      store.hidden[there ? "add" : "delete"](`${text}/${file}`);
      return;
    case "foreign":
      return await store.put(`${text}/notes`, Buffer.of(1));
    default:
      return there ? await store.put(text, Buffer.of(1)) : await store.delete(text);
  }
}

test("whatever changes, the cached catalog lists the streams that an uncached listing does", async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(change, { maxLength: 5 }), { minLength: 1, maxLength: 10 }),
      async (rounds) => {
        const { inner, catalog } = counted();
        for (const changes of rounds) {
          for (const one of changes) await apply(inner, one);
          const expected = await listStore(inner, signal);
          t.deepEqual(plain(await catalog.listAll(signal)), plain(expected));
          t.deepEqual(await catalog.list(signal), expected.snapshots);
          t.deepEqual(outlineOf(await catalog.outline(signal)), outlineOf(expected));
          t.deepEqual(outlineOf(await outlineStore(inner, signal)), outlineOf(expected));
        }
      },
    ),
    { numRuns: 100 },
  );
});

test("one listing serves snapshots and streams, and a complete base is read once", async (t) => {
  const { inner, store, catalog } = counted();
  for (const { text, first, id } of STREAMS) {
    await putDeltas(inner, text, deltasFrom(first, [1, 2]));
    await putBase(inner, text, id);
  }
  const first = await catalog.listAll(signal);
  t.deepEqual(
    first.streams.map(({ name, base }) => [name.text, base?.state]),
    [2, 0, 1].map((i) => [STREAMS[i]?.text ?? "", "complete"]),
  );
  await putDeltas(inner, STREAMS[0]?.text ?? "", deltasFrom(5, [1, 2, 3]));
  store.calls.length = 0;
  const { streams } = await catalog.listAll(signal);
  t.is(streams[1]?.deltas.length, 3);
  t.deepEqual(store.calls, [{ call: "list", key: "" }]);
});

test("a listing of snapshots alone reads nothing of streams", async (t) => {
  const { inner, store, catalog } = counted();
  for (const { text, id } of STREAMS) await putBase(inner, text, id);
  t.deepEqual(await catalog.list(signal), []);
  t.deepEqual(store.calls, [{ call: "list", key: "" }]);
});

test("a store with many pages of deltas is listed at once", async (t) => {
  const { inner, store, catalog } = counted();
  for (const { text, first } of STREAMS) {
    await putDeltas(inner, text, deltasFrom(first, Array(200).fill(1)));
  }
  const list = inner.list.bind(inner);
  inner.list = (prefix, options) => list(prefix, { ...options, limit: 5 });
  const { streams } = await catalog.listAll(signal);
  t.is(streams.length, 3);
  t.true(streams.every(({ deltas, runs }) => deltas.length === 200 && runs.length === 1));
  t.is(store.keysOf("list").length, 120);
  t.true(store.keysOf("list").every((prefix) => prefix === ""));
});

test("streams are listed one by one in a store that lists keys out of order", async (t) => {
  const { inner, store, catalog } = counted();
  for (const { text, first, id } of STREAMS) {
    await putDeltas(inner, text, deltasFrom(first, [1, 2]));
    await putBase(inner, text, id);
  }
  const list = inner.list.bind(inner);
  inner.list = async (prefix, options) => {
    const page = await list(prefix, options);
    return { ...page, objects: page.objects.toReversed() };
  };
  const expected = plain(await listStore(inner, signal));
  t.deepEqual(plain(await catalog.listAll(signal)), expected);
  store.calls.length = 0;
  t.deepEqual(plain(await catalog.listAll(signal)), expected);
  t.deepEqual(store.keysOf("list").sort(), ["", ...STREAMS.map(({ text }) => `${text}/`)].sort());
  t.deepEqual(store.keysOf("get"), []);
  store.calls.length = 0;
  await catalog.list(signal);
  t.deepEqual(store.keysOf("list"), [""]);
});

test("with more deltas than memory should hold, the error names what can be done, and snapshots and outlines are still listed", async (t) => {
  for (const order of ["sorted", "unsorted"] as const) {
    const { inner, store } = counted();
    for (const { text, first } of STREAMS) {
      await putDeltas(inner, text, deltasFrom(first, Array(100).fill(1)));
    }
    if (order === "unsorted") {
      const list = inner.list.bind(inner);
      inner.list = async (prefix, options) => {
        const page = await list(prefix, options);
        return { ...page, objects: page.objects.toReversed() };
      };
    }
    const catalog = new CachedCatalog(store, { maxDeltas: 299 });
    const error = await t.throwsAsync(catalog.listAll(signal), { code: "STORE_OVERFLOW" });
    t.true(
      error instanceof StoreError && /backuptool prune .* delete Etcd-/.test(error.hint ?? ""),
    );
    t.deepEqual(await catalog.list(signal), []);
    const { streams } = await catalog.outline(signal);
    t.deepEqual(
      streams.map(({ deltas, runs, left }) => [
        deltas.length,
        deltas.newest?.number,
        runs.length,
        left.files,
      ]),
      STREAMS.map(() => [100, 99, 1, 100]),
    );
    t.is((await new CachedCatalog(store, { maxDeltas: 300 }).listAll(signal)).streams.length, 3);
  }
});
