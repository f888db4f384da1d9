import test from "ava";
import fc from "fast-check";
import { ObjectTable } from "../../../src/archive/index/object-table.js";
import { BackupToolError } from "../../../src/errors.js";

const bytes = fc.uint8Array({ maxLength: 4 });
const entry = fc.record({
  size: fc.maxSafeNat(),
  mtime: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  version: fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }),
  backup: fc.nat(0xffff),
  file: fc.nat(99_999),
  offset: fc.maxSafeNat(),
});
const object = fc.record({ pool: fc.nat(2), namespace: bytes, locator: bytes, name: bytes });
type Entry = typeof entry extends fc.Arbitrary<infer T> ? T : never;
type Name = typeof object extends fc.Arbitrary<infer T> ? T : never;

function id({ pool, namespace, locator, name }: Name): string {
  return [pool, ...[namespace, locator, name].map((b) => Buffer.from(b).toString("hex"))].join("/");
}

function nameOf(text: string) {
  return { namespace: Buffer.alloc(0), locator: Buffer.alloc(0), name: Buffer.from(text) };
}

function find(table: ObjectTable, { pool, namespace, locator, name }: Name): number | undefined {
  return table.find(pool, { namespace, locator, name });
}

test("a table behaves as a map from names to entries, with marks", (t) => {
  fc.assert(
    fc.property(fc.array(fc.tuple(object, entry, fc.boolean()), { maxLength: 200 }), (steps) => {
      const table = new ObjectTable(steps.length);
      const map = new Map<string, { name: Name; entry: Entry; marked: boolean }>();
      for (const [name, value, mark] of steps) {
        table.set(name.pool, name, value);
        const marked = map.get(id(name))?.marked === true || mark;
        map.set(id(name), { name, entry: value, marked });
        const slot = find(table, name);
        if (mark && slot !== undefined) table.mark(slot);
      }
      t.is(table.count, map.size);
      t.is(table.unmarked, [...map.values()].filter(({ marked }) => !marked).length);
      for (const { name, entry: value, marked } of map.values()) {
        const slot = find(table, name) ?? -1;
        t.deepEqual(table.entry(slot), value);
        t.is(table.isMarked(slot), marked);
      }
      t.is(table.find(3, nameOf("x")), undefined);
    }),
    { numRuns: 100 },
  );
});

test("names whose parts join to the same text are different objects", (t) => {
  const table = new ObjectTable(4);
  const value = { size: 1, mtime: 0n, version: 0n, backup: 0, file: 0, offset: 0 };
  const parts = (text: string) => text.split("|").map((part) => Buffer.from(part));
  for (const text of ["ab||c", "a|b|c", "|ab|c", "a||bc"]) {
    const [namespace, locator, name] = parts(text) as [Buffer, Buffer, Buffer];
    t.is(table.find(0, { namespace, locator, name }), undefined, text);
    table.set(0, { namespace, locator, name }, value);
  }
  t.is(table.count, 4);
});

test("a table holds its capacity, and a full one throws instead of looping", (t) => {
  const value = { size: 1, mtime: 0n, version: 0n, backup: 0, file: 0, offset: 0 };
  const table = new ObjectTable(1000);
  const add = (i: number) => table.set(0, nameOf(`${i}`), value);
  for (let i = 0; i < 1000; i++) add(i);
  t.is(table.count, 1000);
  t.throws(
    () => {
      for (let i = 1000; i < 3000; i++) add(i);
    },
    { instanceOf: RangeError },
  );
  t.is(table.find(0, nameOf("x")), undefined);
});

test("the ordinal of the 300th backup of a chain does not wrap to that of the 44th", (t) => {
  const table = new ObjectTable(2);
  const at = (backup: number) =>
    table.set(0, nameOf("o"), {
      size: 1,
      mtime: 0n,
      version: 0n,
      backup,
      file: 0,
      offset: 0,
    });
  for (const backup of [255, 256, 300, 0xffff]) {
    at(backup);
    t.is(table.entry(table.find(0, nameOf("o")) ?? -1).backup, backup);
  }
  t.throws(() => at(0x10000), { instanceOf: RangeError });
});

test("a capacity beyond the memory is a typed error", (t) => {
  for (const count of [2 ** 40, Number.MAX_SAFE_INTEGER]) {
    const error = t.throws(() => new ObjectTable(count), { instanceOf: BackupToolError });
    t.is(error.code, "TOO_MANY_OBJECTS");
  }
});
