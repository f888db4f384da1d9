import test from "ava";
import { CephCluster } from "../../../src/sources/ceph/cluster.js";
import { nameAt } from "../../../src/sources/ceph/name-batch.js";
import type { CephPool } from "../../../src/sources/ceph/pool.js";
import type { ObjectName } from "../../../src/sources/ceph/types.js";
import { dropPools, makePools } from "../../support/ceph/client.js";
import { cephOptions, NEVER, objectOf } from "../../support/ceph/load.js";

const COUNT = 20_000;

let pools: string[] = [];
let cluster: CephCluster;
let full: CephPool;
let empty: CephPool;
const expected = new Set<string>();

const key = ({ namespace, locator, name }: ObjectName): string =>
  [namespace, locator, name].map((part) => Buffer.from(part).toString("hex")).join("/");

test.before(async () => {
  pools = await makePools(2);
  cluster = await CephCluster.connect(cephOptions(), NEVER);
  full = await cluster.openPool(pools[0] ?? "");
  empty = await cluster.openPool(pools[1] ?? "");
  const bytes = (text: string): Buffer => Buffer.from(text);
  for (let from = 0; from < COUNT; from += 1000) {
    const objects = Array.from({ length: 1000 }, (_, i) => ({
      ...objectOf(`object ${from + i}`),
      namespace: bytes(i % 3 === 0 ? "" : `space ${i % 3}`),
      locator: bytes(i % 5 === 0 ? `locator ${i % 7}` : ""),
    }));
    for (const object of objects) expected.add(key(object));
    await full.write(objects, NEVER);
  }
});
test.after.always(async () => {
  await cluster?.close();
  await dropPools(pools);
});

for (const [slices, pageSize] of [
  [1, 1000],
  [4, 100],
  [7, 1024],
  [64, 10],
] as const) {
  test(`a listing by ${slices} slices in pages of ${pageSize} has each object once`, async (t) => {
    const seen = new Set<string>();
    let count = 0;
    for await (const batch of full.list({ slices, pageSize, signal: NEVER })) {
      t.true(batch.count > 0);
      for (let i = 0; i < batch.count; i++) seen.add(key(nameAt(batch, i)));
      count += batch.count;
    }
    t.is(count, COUNT);
    t.deepEqual([...seen].sort(), [...expected].sort());
  });
}

test("a listing of an empty pool is empty", async (t) => {
  for await (const _ of empty.list({ slices: 4, pageSize: 100, signal: NEVER })) t.fail();
  t.pass();
});
