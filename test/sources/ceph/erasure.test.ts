import { randomBytes } from "node:crypto";
import test from "ava";
import { CephCluster } from "../../../src/sources/ceph/cluster.js";
import type { CephPool } from "../../../src/sources/ceph/pool.js";
import type { Pair } from "../../../src/sources/ceph/types.js";
import { dropPools, makePools } from "../../support/ceph/client.js";
import { cephOptions, NEVER, objectOf } from "../../support/ceph/load.js";
import { dataOf, readAll } from "../../support/ceph/objects.js";

let pools: string[] = [];
let cluster: CephCluster;
let pool: CephPool;
test.before(async () => {
  pools = await makePools(1, "erasure");
  cluster = await CephCluster.connect(cephOptions(), NEVER);
  pool = await cluster.openPool(pools[0] ?? "");
});
test.after.always(async () => {
  await cluster?.close();
  await dropPools(pools);
});

const PAIR: readonly Pair[] = [[Buffer.from("key"), Buffer.from("value")]];

test("data, xattrs and mtimes are read from an erasure-coded pool as they were written", async (t) => {
  const objects = [0, 1, 4095, 8192, 100_001, (4 << 20) + 1].map((size) =>
    objectOf(`${size}`, { data: [randomBytes(size)], xattrs: PAIR }),
  );
  // Twice: the second write replaces the first.
  for (let i = 0; i < 2; i++) await pool.write(objects, NEVER);
  const { objects: read, failures } = await readAll(pool, objects);
  t.deepEqual(failures, []);
  t.is(read.length, objects.length);
  for (const object of read) {
    const written = objects.find(({ name }) => Buffer.from(name).equals(object.name));
    t.true((await dataOf(pool, object)).equals(Buffer.concat(written?.data ?? [])));
    t.true(object.mtime === written?.mtime);
    t.deepEqual(object.xattrs.length, 1);
    t.deepEqual(object.omap, []);
    t.false(object.omapMore);
  }
});

test("a large object is written to an erasure-coded pool by many operations", async (t) => {
  const pieces = Array.from({ length: 11 }, () => randomBytes(1_000_003));
  const object = objectOf("large", { xattrs: PAIR });
  const data = async function* (): AsyncGenerator<readonly Uint8Array[]> {
    for (const piece of pieces) yield [piece];
  };
  await pool.writeLarge(object, { ...object, omap: [], data: data(), signal: NEVER });
  const { objects } = await readAll(pool, [object]);
  t.is(objects.length, 1);
  for (const read of objects) t.true((await dataOf(pool, read)).equals(Buffer.concat(pieces)));
});

for (const [what, more] of [
  ["an omap", { omap: PAIR }],
  ["an omap header", { omapHeader: Buffer.from("header") }],
] as const) {
  test(`an erasure-coded pool rejects ${what}, and nothing of the object is written`, async (t) => {
    const object = objectOf(what, { data: [Buffer.from("data")], ...more });
    const error = await t.throwsAsync(pool.write([object], NEVER), { code: "CEPH_NO_OMAP" });
    t.regex(error?.message ?? "", /^ceph: write "an omap.*" in pool "test-.*an erasure-coded pool/);
    t.is((await readAll(pool, [object])).vanished.length, 1);
  });
}
