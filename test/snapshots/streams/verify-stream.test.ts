import { randomBytes } from "node:crypto";
import test from "ava";
import { SealPool } from "../../../src/archive/seal/seal-pool.js";
import { deltaName } from "../../../src/snapshots/streams/delta-name.js";
import { readStream } from "../../../src/snapshots/streams/list-streams.js";
import { parseStreamName, type StreamName } from "../../../src/snapshots/streams/stream-name.js";
import { verifyStream } from "../../../src/snapshots/streams/verify-stream.js";
import type { ReadSelection } from "../../../src/snapshots/read-selection.js";
import { FileThread } from "../../../src/threads/file-thread.js";
import { revisions, SampleStream } from "../../support/archive/deltas.js";
import {
  forgedDelta,
  type ForgedStream,
  forgeStream,
} from "../../support/stores/forged-streams.js";
import { MemoryStore } from "../../support/stores/memory-store.js";

const { signal } = new AbortController();
const thread = new FileThread();
test.after.always(() => thread.close());

async function verify(
  store: MemoryStore,
  name: StreamName,
  selection: ReadSelection = { kind: "all" },
) {
  const stream = await readStream(store, name, signal);
  if (stream === undefined) throw new Error("no stream");
  const damages: string[] = [];
  const result = await verifyStream(store, stream, {
    ...{ selection, thread, signal, onProgress: () => {} },
    onDamage: ({ file, reason }) => damages.push(`${file}: ${reason}`),
  });
  return { damages, ...result };
}

function keyOf({ name, deltas }: ForgedStream, number: number): string {
  const delta = deltas[number];
  return `${name.text}/${delta && deltaName(delta)}`;
}

test("sealed deltas are good, and each one that is cut off, longer or of another number is damaged", async (t) => {
  const pool = new SealPool(1);
  t.teardown(() => pool.close());
  const sample = await SampleStream.start(pool, 5);
  await sample.seal(revisions(5, 8), revisions(9, 9), revisions(10, 20));
  const name = parseStreamName(sample.name);
  if (name === undefined) throw new Error("no name");
  const put = async (store: MemoryStore, change?: (bytes: Buffer) => Uint8Array) => {
    for (const [number, { bytes, first, last, time }] of sample.sealed.entries()) {
      const changed = number === 1 && change !== undefined ? change(Buffer.from(bytes)) : bytes;
      await store.put(`${name.text}/${deltaName({ number, first, last, time })}`, changed);
    }
  };
  const good = new MemoryStore();
  await put(good);
  t.like(await verify(good, name), { damages: [], files: 3, filesRead: 3, damaged: 0 });
  t.like(await verify(good, name, { kind: "none" }), { files: 3, filesRead: 0, damaged: 0 });
  t.like(await verify(good, name, { kind: "slice", slice: 1, slices: 2 }), { filesRead: 2 });
  const changes: ((bytes: Buffer) => Uint8Array)[] = [
    (bytes) => bytes.subarray(0, -1),
    (bytes) => Buffer.concat([bytes, Buffer.of(0)]),
    (bytes) => Buffer.concat([bytes, bytes]),
    () => sample.sealed[0]?.bytes ?? Buffer.of(),
    () => Buffer.of(),
    () => randomBytes(300),
  ];
  for (const change of changes) {
    const store = new MemoryStore();
    await put(store, change);
    t.is((await verify(store, name)).damaged, 1, String(change));
  }
});

test("deltas that are missing are damage, and so is a base that is not as its manifest says", async (t) => {
  const store = new MemoryStore();
  const stream = await forgeStream(store, {
    first: 5,
    time: 1000,
    base: 40,
    lengths: [1, 2, 3, 4],
  });
  t.like(await verify(store, stream.name), { damages: [], files: 3 + 4, filesRead: 3 + 4 });
  await store.delete(keyOf(stream, 1));
  await store.delete(keyOf(stream, 2));
  t.deepEqual((await verify(store, stream.name, { kind: "none" })).damages, [
    `${stream.name.text}: it lacks 2 deltas with the revisions 6 to 10`,
  ]);
  await store.put(`${stream.name.text}/INDEX.bin`, randomBytes(40));
  t.is((await verify(store, stream.name)).damaged, 2);
  await store.delete(`${stream.name.text}/MANIFEST.json`);
  t.is((await verify(store, stream.name)).damaged, 2);
});

test("a delta whose chunks are larger than its header allows is damaged", async (t) => {
  const store = new MemoryStore();
  const stream = await forgeStream(store, { first: 5, time: 1000, lengths: [1] });
  await store.put(keyOf(stream, 0), forgedDelta(stream.id, 0, Buffer.alloc((1 << 20) + 5000)));
  const { damages } = await verify(store, stream.name);
  t.regex(damages.join(), /chunk 0: a chunk of 1053576 bytes is outside of the format/);
});
