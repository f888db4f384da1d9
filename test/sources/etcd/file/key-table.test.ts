import test from "ava";
import fc from "fast-check";
import { KeyTable } from "../../../../src/sources/etcd/file/key-table.js";

test("a table of keys does what a Map does", (t) => {
  const key = fc.integer({ min: 0, max: 3000 }).map((n) => `key ${n}`);
  const number = fc.maxSafeInteger().map((n) => Math.abs(n) % (Number.MAX_SAFE_INTEGER - 1));
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.record({ key, number }) },
    fc.record({ key, number: fc.constant(undefined) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 6000, size: "max" }), (steps) => {
      const table = new KeyTable();
      const map = new Map<string, number>();
      for (const { key, number } of steps) {
        const before = map.get(key);
        if (number === undefined) {
          t.is(table.delete(Buffer.from(key)), before);
          map.delete(key);
        } else {
          t.is(table.set(Buffer.from(key), number), before);
          map.set(key, number);
        }
        if (table.size !== map.size) t.fail();
      }
      for (let n = 0; n <= 3000; n++) {
        if (table.get(Buffer.from(`key ${n}`)) !== map.get(`key ${n}`)) t.fail();
      }
      const ascending = (numbers: Iterable<number>) => [...numbers].sort((a, b) => a - b);
      t.deepEqual(ascending(table.values()), ascending(map.values()));
    }),
    { numRuns: 15 },
  );
});
