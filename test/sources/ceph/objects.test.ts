import { createHash, randomBytes } from "node:crypto";
import test from "ava";
import { CephCluster } from "../../../src/sources/ceph/cluster.js";
import { CephError } from "../../../src/sources/ceph/errors.js";
import { packNames } from "../../../src/sources/ceph/name-batch.js";
import type { CephPool } from "../../../src/sources/ceph/pool.js";
import type { Pair, ReadObject, WriteObject } from "../../../src/sources/ceph/types.js";
import { dropPools, makePools } from "../../support/ceph/client.js";
import { cephOptions, NEVER, objectName, objectOf } from "../../support/ceph/load.js";
import { dataOf, omapOf, readAll } from "../../support/ceph/objects.js";

let pools: string[] = [];
let cluster: CephCluster;
let pool: CephPool;
test.before(async () => {
  pools = await makePools(1);
  cluster = await CephCluster.connect(cephOptions(), NEVER);
  pool = await cluster.openPool(pools[0] ?? "");
});
test.after.always(async () => {
  await cluster?.close();
  await dropPools(pools);
});

const ANY_BYTES = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
const WITHOUT_ZERO = ANY_BYTES.subarray(1);

/** Pairs sorted, and short enough to print. */
const sorted = (pairs: readonly Pair[]): string[] =>
  pairs.map(([key, value]) => `${shown(key)}=${shown(value)}`).sort();

function shown(bytes: Uint8Array): string {
  const hash = createHash("sha256").update(bytes).digest("hex").slice(0, 8);
  return `${Buffer.from(bytes.subarray(0, 8)).toString("hex")}/${bytes.length}/${hash}`;
}

async function readBack(object: WriteObject): Promise<ReadObject> {
  const { objects, vanished, failures } = await readAll(pool, [object]);
  if (objects.length !== 1)
    throw new Error(`${vanished.length} vanished, ${failures[0]?.error.message}`);
  return objects[0] as ReadObject;
}

const OBJECTS: Readonly<Record<string, WriteObject>> = {
  "nothing but a name": objectOf("empty"),
  "data in pieces": objectOf("pieces", {
    data: [randomBytes(5), Buffer.alloc(0), randomBytes(5000)],
  }),
  "data of 4 MiB": objectOf("4 MiB", { data: [randomBytes(4 << 20)] }),
  "data of 4 MiB and a byte": objectOf("4 MiB + 1", { data: [randomBytes((4 << 20) + 1)] }),
  "an xattr of 64 KiB less one, an empty one, and a key of any bytes but zero": objectOf("xattrs", {
    xattrs: [
      [Buffer.from("large"), randomBytes(65_535)],
      [Buffer.from("empty"), Buffer.alloc(0)],
      [WITHOUT_ZERO.subarray(0, 96), ANY_BYTES],
      [WITHOUT_ZERO.subarray(155), ANY_BYTES],
    ],
  }),
  "an omap header": objectOf("header", { omapHeader: randomBytes(10_000) }),
  "omap keys of any bytes, an empty key and empty values": objectOf("omap", {
    omapHeader: ANY_BYTES,
    omap: [
      [Buffer.alloc(0), Buffer.from("of the empty key")],
      [Buffer.from([0]), Buffer.alloc(0)],
      [Buffer.from([0, 0, 1]), ANY_BYTES],
      [ANY_BYTES, Buffer.alloc(0)],
      [Buffer.from([0xff, 0xfe]), randomBytes(100_000)],
    ],
  }),
  "the first nanosecond of 1970": objectOf("time", { mtime: 1n }),
  "the last nanosecond of a second": objectOf("nanoseconds", { mtime: 1_699_999_999_999_999_999n }),
  "a namespace, a locator and a name of any bytes": {
    ...objectOf(WITHOUT_ZERO),
    namespace: WITHOUT_ZERO.subarray(0, 100),
    locator: WITHOUT_ZERO.subarray(100, 200),
    data: [Buffer.from("here")],
  },
};
for (const [what, object] of Object.entries(OBJECTS)) {
  test(`an object is read as it was written: ${what}`, async (t) => {
    await pool.write([object], NEVER);
    const read = await readBack(object);
    t.deepEqual(Buffer.from(read.name), Buffer.from(object.name));
    t.deepEqual(Buffer.from(read.namespace), Buffer.from(object.namespace));
    t.deepEqual(Buffer.from(read.locator), Buffer.from(object.locator));
    t.is(read.mtime, object.mtime);
    t.true(read.version > 0n);
    t.deepEqual(sorted(read.xattrs), sorted(object.xattrs));
    t.deepEqual(Buffer.from(read.omapHeader), Buffer.from(object.omapHeader));
    t.deepEqual(sorted(await omapOf(pool, read)), sorted(object.omap));
    const data = Buffer.concat(object.data);
    t.is(read.size, data.length);
    t.true(data.equals(await dataOf(pool, read)));
  });
}

test("an omap of 25,000 entries is read in pages, each entry once", async (t) => {
  const omap = Array.from(
    { length: 25_000 },
    (_, i): Pair => [Buffer.from(`\0${i}\0`), Buffer.from(i % 7 === 0 ? "" : `value ${i}`)],
  );
  const object = objectOf("large omap", {
    omap: omap.slice(0, 5000),
    data: [Buffer.from("and data")],
  });
  await pool.writeLarge(object, {
    ...object,
    omap: Array.from({ length: 25 }, (_, i) => omap.slice(1000 * i, 1000 * i + 1000)),
    data: (async function* () {
      yield object.data;
    })(),
    signal: NEVER,
  });
  const read = await readBack(object);
  t.true(read.omapMore);
  t.deepEqual(sorted(await omapOf(pool, read)), sorted(omap));
  t.is(read.mtime, object.mtime);
  t.deepEqual((await dataOf(pool, read)).toString(), "and data");
});

test("a write replaces all that the object had", async (t) => {
  const pair = [[Buffer.from("old"), Buffer.from("old")]] as const;
  const before = objectOf("replaced", {
    data: [randomBytes(9000)],
    xattrs: pair,
    omap: pair,
    omapHeader: Buffer.from("old"),
  });
  await pool.write([before], NEVER);
  await pool.write([objectOf("replaced", { data: [Buffer.from("new")] })], NEVER);
  const read = await readBack(before);
  t.deepEqual(read.xattrs, []);
  t.deepEqual(read.omap, []);
  t.is(read.omapHeader.length, 0);
  t.is((await dataOf(pool, read)).toString(), "new");
});

test("objects of one name in two namespaces or under two locators are separate", async (t) => {
  const bytes = (text: string): Buffer => Buffer.from(text);
  const objects = ["", "a", "b"].flatMap((namespace) =>
    ["", "l", "m"].map((locator) => ({
      ...objectOf("same name", { data: [bytes(`${namespace}/${locator}`)] }),
      namespace: bytes(namespace),
      locator: bytes(locator),
    })),
  );
  await pool.write(objects, NEVER);
  const { objects: read } = await readAll(pool, objects);
  t.is(read.length, 9);
  for (const object of read) {
    const { namespace, locator } = object;
    const data = await dataOf(pool, object);
    t.is(data.toString(), `${Buffer.from(namespace)}/${Buffer.from(locator)}`);
  }
});

test("a stat has size, mtime and version of each object, and ENOENT for one that does not exist", async (t) => {
  const objects = Array.from({ length: 600 }, (_, i) =>
    objectOf(`stat ${i}`, { data: [Buffer.alloc(i)], mtime: BigInt(i) * 1_000_000_007n }),
  );
  await pool.write(
    objects.filter((_, i) => i % 3 !== 0),
    NEVER,
  );
  const stat = await pool.stat(packNames(objects), NEVER);
  const { objects: read } = await readAll(pool, objects);
  const versions = new Map(
    read.map(({ name, version }) => [Buffer.from(name).toString(), version]),
  );
  for (let i = 0; i < 600; i++) {
    t.is(stat.errno[i], i % 3 === 0 ? -2 : 0);
    if (i % 3 === 0) continue;
    t.is(stat.size[i], i);
    t.is(stat.mtime[i], BigInt(i) * 1_000_000_007n);
    t.is(stat.version[i], versions.get(`stat ${i}`));
  }
});

test("a removal returns the objects that existed, and they are gone", async (t) => {
  const objects = Array.from({ length: 300 }, (_, i) => objectOf(`removed ${i}`));
  await pool.write(objects.slice(100), NEVER);
  t.is((await pool.remove(packNames(objects), NEVER)).length, 200);
  const { vanished, failures } = await readAll(pool, objects);
  t.is(vanished.length, 300);
  t.deepEqual(failures, []);
});

test("the error of an object above the cluster's size limit names the object", async (t) => {
  const piece = Buffer.alloc(16 << 20);
  const data = async function* (): AsyncGenerator<readonly Uint8Array[]> {
    for (let i = 0; i < 9; i++) yield [piece];
  };
  const object = objectOf('too "large"');
  const error = await t.throwsAsync(
    pool.writeLarge(object, { ...object, omap: [], data: data(), signal: NEVER }),
    { instanceOf: CephError, code: "CEPH_TOO_LARGE" },
  );
  t.is(
    error?.message,
    `ceph: write "too \\"large\\"" in pool "${pools[0]}": the object is larger than the cluster allows (EFBIG)`,
  );
  t.regex(error?.hint ?? "", /osd_max_object_size/);
  await pool.remove(packNames([object]), NEVER);
});

test("a change between two pages of data is detected", async (t) => {
  const object = objectOf("changes", { data: [Buffer.alloc(30 << 20)] });
  await pool.write([object], NEVER);
  const { size, version } = await readBack(object);
  const pages = pool.readData(object, { offset: 0, size, version, signal: NEVER });
  t.false((await pages.next()).done);
  await pool.write([object], NEVER);
  const rest = async (): Promise<void> => {
    for await (const page of pages) page.release();
  };
  const error = await t.throwsAsync(rest(), { code: "CEPH_OBJECT_CHANGED" });
  t.regex(error?.message ?? "", /"changes"/);
});

test("a change or a removal between two pages of an omap is detected", async (t) => {
  const omap = Array.from(
    { length: 3000 },
    (_, i): Pair => [Buffer.from(`${i}`), Buffer.from("v")],
  );
  const object = objectOf("omap changes", { omap });
  for (const change of [
    () => pool.write([object], NEVER),
    () => pool.remove(packNames([objectName("omap changes")]), NEVER),
  ]) {
    await pool.write([object], NEVER);
    const { version } = await readBack(object);
    const pages = pool.readOmap(object, { after: Buffer.from("0"), version, signal: NEVER });
    t.false((await pages.next()).done);
    await change();
    await t.throwsAsync(pages.next(), { code: "CEPH_OBJECT_CHANGED" });
  }
});
