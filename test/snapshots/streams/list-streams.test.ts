import test from "ava";
import fc from "fast-check";
import { listSnapshots } from "../../../src/snapshots/catalog.js";
import { deltaName } from "../../../src/snapshots/streams/delta-name.js";
import { listStreams } from "../../../src/snapshots/streams/list-streams.js";
import type { StoredStream } from "../../../src/snapshots/streams/stored-stream.js";
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

async function onlyStream(store: MemoryStore): Promise<StoredStream> {
  const [stream, ...more] = await listStreams(store, signal);
  if (stream === undefined || more.length > 0) throw new Error("not one stream");
  return stream;
}

test("a stream is listed with its deltas, their revisions, times and sizes", async (t) => {
  const store = new MemoryStore();
  const name = nameOf(9003, 1000);
  await putDeltas(store, name, deltasFrom(9003, [48, 1, 10]));
  const stream = await onlyStream(store);
  t.is(stream.name.text, name);
  t.deepEqual([stream.first, stream.last, stream.lastSeen], [9003, 9061, 1020]);
  t.deepEqual(stream.runs, [{ at: 0, count: 3, first: 9003, last: 9061 }]);
  t.deepEqual(
    [stream.gaps, stream.problem, stream.foreign, stream.base],
    [[], undefined, undefined, undefined],
  );
  t.deepEqual([...stream.deltas.names()], deltasFrom(9003, [48, 1, 10]).map(deltaName));
  t.deepEqual(
    [...stream.deltas].map(({ number, bytes }) => [number, bytes]),
    [
      [0, 100],
      [1, 101],
      [2, 102],
    ],
  );
  t.deepEqual([stream.left.files, stream.left.bytes, stream.deltas.bytes], [3, 303, 303]);
});

test("streams are listed by their start, and are not snapshots", async (t) => {
  const store = new MemoryStore();
  await putDeltas(store, nameOf(10, 3000), deltasFrom(10, [1]));
  await putDeltas(store, nameOf(99, 1000), deltasFrom(99, [1]));
  const listed = await listStreams(store, signal);
  t.deepEqual(
    listed.map(({ name }) => name.firstRevision),
    [99, 10],
  );
  t.deepEqual(await listSnapshots(store, signal), []);
});

test("the base of a stream is read, and is complete, unfinished or damaged", async (t) => {
  const store = new MemoryStore();
  const name = nameOf(8, 1000);
  await putBase(store, name, idOf(1));
  const { base, first, left } = await onlyStream(store);
  t.is(base?.state, "complete");
  t.is(base?.revision, 7);
  t.is(base?.facts?.id, idOf(1));
  t.is(first, undefined);
  t.is(left.files, 4);
  await store.put(`${name}/INDEX.bin`, Buffer.alloc(3));
  const damaged = (await onlyStream(store)).base;
  t.is(damaged?.state, "damaged");
  t.is(damaged?.problem, "INDEX.bin: it has 3 bytes, not the 11 of the manifest");
  await store.put(`${name}/MANIFEST.json`, Buffer.from("{}"));
  t.is((await onlyStream(store)).base?.state, "damaged");
  await store.delete(`${name}/MANIFEST.json`);
  t.is((await onlyStream(store)).base?.state, "unfinished");
});

test("a base with the id of another stream is damaged", async (t) => {
  const store = new MemoryStore();
  await putBase(store, nameOf(8, 1000, 2), idOf(1));
  const { base } = await onlyStream(store);
  t.is(base?.state, "damaged");
  t.is(base?.problem, `its id ${idOf(1)} is not that of the stream`);
});

test("a base of another revision than the one before the stream is damaged", async (t) => {
  const store = new MemoryStore();
  await putBase(store, nameOf(8, 1000), idOf(1), { etcdSnapshot: 9 });
  const { base } = await onlyStream(store);
  t.is(base?.state, "damaged");
  t.is(base?.problem, "it has revision 9, not revision 7, after which the stream begins");
});

test("an incremental is not accepted as the base of a stream", async (t) => {
  const store = new MemoryStore();
  await putBase(store, nameOf(8, 1000), idOf(1), { base: idOf(2) });
  const { base } = await onlyStream(store);
  t.is(base?.state, "damaged");
  t.is(base?.problem, "its manifest is of a backup of kind incremental");
});

test("a base whose file the listing does not show yet is complete", async (t) => {
  const store = new MemoryStore();
  const name = nameOf(8, 1000);
  await putBase(store, name, idOf(1));
  for (const file of ["METADATA.bin", "MANIFEST.json"]) store.hidden.add(`${name}/${file}`);
  t.is((await onlyStream(store)).base?.state, "complete");
});

test("missing deltas are gaps, not damage", async (t) => {
  const store = new MemoryStore();
  const all = deltasFrom(5, [2, 3, 1, 4, 1]);
  await putDeltas(
    store,
    nameOf(5, 1000),
    all.filter(({ number }) => number === 1 || number === 4),
  );
  const { runs, gaps, problem, first, last } = await onlyStream(store);
  t.deepEqual(runs, [
    { at: 0, count: 1, first: 7, last: 9 },
    { at: 1, count: 1, first: 15, last: 15 },
  ]);
  t.deepEqual(gaps, [
    { deltas: 1, revisions: { first: 5, last: 6 } },
    { deltas: 2, revisions: { first: 10, last: 14 } },
  ]);
  t.is(problem, undefined);
  t.deepEqual([first, last], [7, 15]);
});

test("deltas that contradict each other are damage", async (t) => {
  const cases: [string, RegExp][] = [
    ["0 5 6, 0 5 7", /two deltas of number 0/],
    ["0 6 7", /delta 0 does not follow its name: it begins with revision 6, not 5/],
    ["0 5 6, 1 8 9", /delta 1 does not follow delta 0: it begins with revision 8, not 7/],
    ["0 5 6, 1 6 9", /delta 1 does not follow delta 0: it begins with revision 6, not 7/],
    ["0 5 6, 3 8 9", /delta 3 begins with revision 8, too early for the 2 missing before it/],
  ];
  for (const [deltas, expected] of cases) {
    const store = new MemoryStore();
    for (const delta of deltas.split(", ")) {
      const [number = 0, first = 0, last = 0] = delta.split(" ").map(Number);
      await putDeltas(store, nameOf(5, 1000), [{ number, first, last, time: 7 }]);
    }
    t.regex((await onlyStream(store)).problem ?? "", expected, deltas);
  }
});

test("whatever deltas a store lacks, runs and gaps together are the whole stream", async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ length: fc.integer({ min: 1, max: 9 }), there: fc.boolean() }), {
        minLength: 1,
        maxLength: 40,
      }),
      async (parts) => {
        const store = new MemoryStore();
        const all = deltasFrom(
          5,
          parts.map(({ length }) => length),
        );
        const there = all.filter((_, i) => parts[i]?.there);
        await putDeltas(store, nameOf(5, 1000), there);
        const [stream] = await listStreams(store, signal);
        t.is(stream === undefined, there.length === 0);
        if (stream === undefined) return;
        t.is(stream.problem, undefined);
        const covered = stream.runs.flatMap(({ first, last }) => span(first, last));
        const missing = stream.gaps.flatMap(({ revisions }) =>
          revisions === undefined ? [] : span(revisions.first, revisions.last),
        );
        t.deepEqual(
          covered,
          there.flatMap(({ first, last }) => span(first, last)),
        );
        t.deepEqual(
          [...covered, ...missing].sort((a, b) => a - b),
          span(5, stream.last ?? 0),
        );
        const lacking = stream.gaps.reduce((sum, { deltas }) => sum + deltas, 0);
        t.is(lacking + stream.deltas.length, (there.at(-1)?.number ?? 0) + 1);
      },
    ),
    { numRuns: 100 },
  );
});

function span(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

test("a listing out of order gives the same stream", async (t) => {
  const store = new MemoryStore();
  await putDeltas(store, nameOf(5, 1000), deltasFrom(5, [1, 2, 3, 4, 5]));
  const expected = await onlyStream(store);
  const list = store.list.bind(store);
  store.list = async (prefix, options) => {
    const page = await list(prefix, options);
    return { ...page, objects: page.objects.toReversed() };
  };
  const { runs, gaps, deltas } = await onlyStream(store);
  t.deepEqual(runs, expected.runs);
  t.deepEqual(gaps, []);
  t.deepEqual([...deltas], [...expected.deltas]);
});

test("files of other programs in the folder of a stream are reported", async (t) => {
  const store = new MemoryStore();
  const name = nameOf(5, 1000);
  await putDeltas(store, name, deltasFrom(5, [1]));
  await store.put(`${name}/notes.txt`, Buffer.of(1));
  const stream = await onlyStream(store);
  t.is(stream.foreign, `${name}/notes.txt`);
  t.regex(stream.problem ?? "", /notes\.txt belongs to another program/);
  await store.put(name, Buffer.of(1));
  t.is((await onlyStream(store)).foreign, name);
});

test("a folder with the name of a stream and no file of this program is ignored", async (t) => {
  const store = new MemoryStore();
  await store.put(`${nameOf(5, 1000)}/0000000001`, Buffer.of(1));
  t.deepEqual(await listStreams(store, signal), []);
});

test("a stream with more deltas than the format allows is damaged, and is not held in memory", async (t) => {
  const store = new MemoryStore();
  const name = nameOf(1, 1000);
  for (const delta of deltasFrom(1, Array(10_001).fill(1))) {
    const stored = { bytes: Buffer.of(1), modified: new Date(0), tag: "" };
    store.objects.set(`${name}/${deltaName(delta)}`, stored);
  }
  const stream = await onlyStream(store);
  t.is(stream.deltas.length, 10_000);
  t.is(stream.problem, "it has more than 10000 deltas");
});

test("listing streams takes one listing of names, and one and a manifest for each", async (t) => {
  const inner = new MemoryStore();
  await putDeltas(inner, nameOf(5, 1000), deltasFrom(5, [1, 2]));
  await putBase(inner, nameOf(9, 2000, 2), idOf(2));
  const store = new SwitchableStore(inner);
  await listStreams(store, signal);
  t.deepEqual(store.keysOf("list").sort(), ["", `${nameOf(5, 1000)}/`, `${nameOf(9, 2000, 2)}/`]);
  t.deepEqual(store.keysOf("get"), [`${nameOf(9, 2000, 2)}/MANIFEST.json`]);
  t.deepEqual(store.keysOf("head"), []);
});
