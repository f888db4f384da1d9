import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import test from "ava";
import { InterruptedError } from "../../../src/errors.js";
import { CephCluster } from "../../../src/sources/ceph/cluster.js";
import { packNames } from "../../../src/sources/ceph/name-batch.js";
import type { CephPool } from "../../../src/sources/ceph/pool.js";
import type { ReadObject, WriteObject } from "../../../src/sources/ceph/types.js";
import { dropPools, makePools } from "../../support/ceph/client.js";
import { cephOptions, NEVER, objectOf } from "../../support/ceph/load.js";

const SLAB = 4 << 20;

let pools: string[] = [];
let cluster: CephCluster;
let pool: CephPool;
let objects: WriteObject[] = [];
test.before(async () => {
  pools = await makePools(1);
  cluster = await CephCluster.connect(cephOptions(), NEVER);
  pool = await cluster.openPool(pools[0] ?? "");
  // Sizes around each limit: the length of the first reads, the length learned, and a slab.
  const small = Array.from({ length: 1500 }, (_, i) => i % 200);
  const mixed = [
    65_535,
    65_536,
    65_537,
    1 << 20,
    (1 << 20) + 1,
    SLAB - 1,
    SLAB,
    SLAB + 1,
    3 * SLAB,
  ];
  const sizes = [...mixed, ...small, ...mixed, ...Array<number>(40).fill(300_000)];
  objects = sizes.map((size, i) => objectOf(`${i}`, { data: [randomBytes(size)] }));
  for (let i = 0; i < objects.length; i += 200) await pool.write(objects.slice(i, i + 200), NEVER);
});
test.after.always(async () => {
  await cluster?.close();
  await dropPools(pools);
});

const written = (read: ReadObject): Buffer =>
  Buffer.concat(objects[Number(Buffer.from(read.name).toString())]?.data ?? []);

for (const memoryBytes of [1, 3 * SLAB, 64 << 20]) {
  test(`objects of mixed sizes are read once each, whole up to a slab, with ${memoryBytes} bytes of memory`, async (t) => {
    const seen = new Set<string>();
    const memories = new Set<SharedArrayBuffer>();
    let largest = 0;
    const batches = [packNames(objects.slice(0, 700)), packNames(objects.slice(700))];
    for await (const group of pool.read(batches, { memoryBytes, signal: NEVER })) {
      t.deepEqual([group.vanished.length, group.failures.length], [0, 0]);
      const held = new Set(group.objects.map(({ data }) => data.memory));
      for (const memory of held) memories.add(memory);
      for (const object of group.objects) {
        const { name, size, data } = object;
        seen.add(Buffer.from(name).toString());
        const expected = written(object);
        if (size !== expected.length || data.length !== Math.min(size, SLAB)) t.fail(`${name}`);
        const got = Buffer.from(data.memory, data.offset, data.length);
        if (!got.equals(expected.subarray(0, data.length))) t.fail(`${name}`);
        object.release();
      }
      largest = Math.max(largest, held.size);
    }
    t.is(seen.size, objects.length);
    t.is(largest, 1);
    // One slab above the limit may be taken when nothing else is left to wait for.
    if (memoryBytes === 3 * SLAB) t.true(memories.size <= 4, `${memories.size} slabs`);
  });
}

test("a consumer that holds many objects does not stop the reads", async (t) => {
  const held: ReadObject[] = [];
  let count = 0;
  for await (const group of pool.read([packNames(objects)], { memoryBytes: 1, signal: NEVER })) {
    held.push(...group.objects);
    count += group.objects.length;
    // Late.
    while (held.length > 900) held.shift()?.release();
    await sleep(0);
  }
  t.is(count, objects.length);
});

test("an abort ends a read, also while the consumer holds all memory", async (t) => {
  const stop = new AbortController();
  const { signal } = stop;
  const reads = pool.read([packNames(objects)], { memoryBytes: 1, signal });
  await reads.next();
  setTimeout(() => stop.abort(), 100);
  const rest = async (): Promise<void> => {
    for await (const _ of reads);
  };
  await t.throwsAsync(rest(), { instanceOf: InterruptedError });
});

test("a consumer that stops early ends the listing", async (t) => {
  let ended = false;
  const names = async function* () {
    try {
      for (;;) yield packNames(objects.slice(0, 10));
    } finally {
      ended = true;
    }
  };
  for await (const group of pool.read(names(), { memoryBytes: 8 << 20, signal: NEVER })) {
    for (const object of group.objects) object.release();
    break;
  }
  t.true(ended);
});

test("a read throws the error of its listing", async (t) => {
  const names = async function* () {
    yield packNames(objects.slice(0, 10));
    throw new Error("the listing broke");
  };
  const read = async (): Promise<void> => {
    for await (const { objects } of pool.read(names(), { memoryBytes: 8 << 20, signal: NEVER })) {
      for (const object of objects) object.release();
    }
  };
  await t.throwsAsync(read(), { message: "the listing broke" });
});
