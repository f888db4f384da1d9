import test from "ava";
import type { PackedNames, ReadRequest } from "../../src/sources/ceph/librados.js";
import { packNames } from "../../src/sources/ceph/name-batch.js";
import { REPLACE } from "../../src/sources/ceph/object-writes.js";
import { dropPools, makePools } from "../support/ceph/client.js";
import { objectName, objectOf } from "../support/ceph/load.js";
import { type NativePool, nativePool } from "../support/ceph/native.js";

let pools: string[] = [];
let pool: NativePool;
test.before(async () => {
  pools = await makePools(1);
  pool = await nativePool(pools[0] ?? "");
});
test.after.always(async () => {
  pool?.native.close();
  await dropPools(pools);
});

const NAMES = packNames([objectName("one"), objectName("two")]);

for (const [what, offsets] of [
  ["beyond the bytes", [0, 0, 0, 4]],
  ["that go backwards", [0, 3, 2, 3]],
] as const) {
  test(`names with offsets ${what} are rejected`, (t) => {
    const names: PackedNames = { bytes: Buffer.from("one"), offsets: Uint32Array.from(offsets) };
    const stat = () => pool.native.stat(pool.number, names, () => t.fail());
    t.throws(stat, { instanceOf: RangeError, message: "an offset is outside of the names" });
  });
}

test("a write with fewer objects than names is rejected", (t) => {
  const write = () =>
    pool.native.write(pool.number, NAMES, [objectOf("one")], REPLACE, () => t.fail());
  t.throws(write, { instanceOf: RangeError, message: "names and objects differ in length" });
});

for (const length of [51, -1, Number.NaN]) {
  test(`a read of ${length} bytes for each of two objects into 100 bytes is rejected`, (t) => {
    const request: ReadRequest = {
      attributes: false,
      data: { offset: 0, length, memory: new Uint8Array(new SharedArrayBuffer(100)) },
    };
    const read = () => pool.native.read(pool.number, NAMES, request, () => t.fail());
    t.throws(read, { instanceOf: RangeError, message: "the memory is too small for the data" });
  });
}

test("a pool that is not open is rejected", (t) => {
  const list = { slice: 0, slices: 1, cursor: "", count: 1 };
  const { native, number } = pool;
  const message = "no such pool";
  t.throws(() => native.listObjects(number + 1, list, () => t.fail()), { message });
});
