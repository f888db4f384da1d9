import test from "ava";
import { decode, encode } from "cborg";
import fc from "fast-check";
import { CborEnd, CborError, CborReader, CborWriter } from "../../src/archive/cbor.js";

type Item =
  | { kind: "uint"; value: number }
  | { kind: "int64"; value: bigint }
  | { kind: "bytes"; value: Uint8Array }
  | { kind: "text"; value: string }
  | { kind: "array"; value: number };

const item: fc.Arbitrary<Item> = fc.oneof(
  fc.record({ kind: fc.constant("uint" as const), value: fc.maxSafeNat() }),
  fc.record({
    kind: fc.constant("int64" as const),
    value: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  }),
  fc.record({ kind: fc.constant("bytes" as const), value: fc.uint8Array({ maxLength: 300 }) }),
  fc.record({ kind: fc.constant("text" as const), value: fc.string({ unit: "grapheme" }) }),
  fc.record({ kind: fc.constant("array" as const), value: fc.nat(0xffffffff) }),
);

function write(out: CborWriter, one: Item): void {
  if (one.kind === "uint") out.uint(one.value);
  else if (one.kind === "int64") out.int64(one.value);
  else if (one.kind === "bytes") out.bytes(one.value);
  else if (one.kind === "text") out.text(one.value);
  else out.array(one.value);
}

function read(from: CborReader, { kind, value }: Item): Item {
  if (kind === "uint") return { kind, value: from.uint() };
  if (kind === "int64") return { kind, value: from.int64() };
  if (kind === "bytes") return { kind, value: new Uint8Array(from.bytes()) };
  if (kind === "text") return { kind, value: from.text() };
  return { kind: "array", value: value === undefined ? 0 : from.array() };
}

function encoded(items: readonly Item[]): Buffer {
  const out = new CborWriter(1);
  for (const one of items) write(out, one);
  return Buffer.from(out.view());
}

test("all items are read as they were written, to the last byte", (t) => {
  fc.assert(
    fc.property(fc.array(item, { maxLength: 20 }), (items) => {
      const reader = new CborReader(encoded(items));
      t.deepEqual(
        items.map((one) => read(reader, one)),
        items,
      );
      t.true(reader.atEnd);
    }),
  );
});

test("the bytes are those of another CBOR encoder", (t) => {
  const single = item.filter(({ kind }) => kind !== "array");
  fc.assert(
    fc.property(single, (one) => {
      t.deepEqual(encoded([one]), Buffer.from(encode(one.value)));
    }),
  );
  const out = new CborWriter();
  out.array(2);
  out.uint(1);
  out.array(0);
  t.deepEqual(decode(out.view()), [1, []]);
});

test("each length has its shortest head, on both sides of each step", (t) => {
  for (const value of [0, 23, 24, 255, 256, 65535, 65536, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1]) {
    const ours = encoded([{ kind: "uint", value }]);
    t.deepEqual(ours, Buffer.from(encode(value)), `${value}`);
    t.is(new CborReader(ours).uint(), value);
  }
  for (const value of [-1n, -24n, -25n, -(2n ** 32n), -(2n ** 32n) - 1n, -(2n ** 63n)]) {
    t.is(new CborReader(encoded([{ kind: "int64", value }])).int64(), value);
  }
});

test("a truncated item is always a CborEnd", (t) => {
  fc.assert(
    fc.property(item, (one) => {
      const bytes = encoded([one]);
      for (let length = 0; length < bytes.length; length++) {
        const error = t.throws(() => read(new CborReader(bytes.subarray(0, length)), one), {
          instanceOf: CborEnd,
        });
        t.true(error.end > length && error.end <= bytes.length);
      }
    }),
  );
});

test("an item of another type than the requested one is rejected", (t) => {
  fc.assert(
    fc.property(item, item, (one, other) => {
      const integers = ["uint", "int64"];
      fc.pre(
        one.kind !== other.kind && !(integers.includes(one.kind) && integers.includes(other.kind)),
      );
      t.throws(() => read(new CborReader(encoded([one])), other), { instanceOf: CborError });
    }),
  );
});

test("any bytes give items or a CborError", (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), item, (bytes, one) => {
      const reader = new CborReader(bytes);
      try {
        while (!reader.atEnd) read(reader, one);
        t.true(reader.position === bytes.length);
      } catch (error) {
        t.true(error instanceof CborError, String(error));
      }
    }),
    { numRuns: 2000 },
  );
});

test("numbers above 2^53, indefinite lengths and reserved forms are rejected", (t) => {
  const cases = ["1b0020000000000000", "1bffffffffffffffff", "1f", "1c"];
  for (const hex of cases) {
    t.throws(() => new CborReader(Buffer.from(hex, "hex")).uint(), { instanceOf: CborError }, hex);
  }
  t.throws(() => new CborReader(Buffer.from("5f", "hex")).bytes(), { instanceOf: CborError });
  t.throws(() => new CborReader(Buffer.from("9f", "hex")).array(), { instanceOf: CborError });
});

test("numbers in more bytes than they need, outside of 64 bits, and text that is not UTF-8 are rejected", (t) => {
  const cases: [string, (from: CborReader) => unknown][] = [
    ["1817", (from) => from.uint()],
    ["1900ff", (from) => from.uint()],
    ["1a0000ffff", (from) => from.uint()],
    ["1b00000000ffffffff", (from) => from.uint()],
    ["3817", (from) => from.int64()],
    ["1b00000000ffffffff", (from) => from.int64()],
    ["3b00000000ffffffff", (from) => from.int64()],
    ["1b8000000000000000", (from) => from.int64()],
    ["3b8000000000000000", (from) => from.int64()],
    ["1b00000000ffffffff", (from) => from.uint64()],
    ["20", (from) => from.uint64()],
    ["580161", (from) => from.bytes()],
    ["980140", (from) => from.array()],
    ["62c328", (from) => from.text()],
  ];
  for (const [hex, take] of cases) {
    t.throws(() => take(new CborReader(Buffer.from(hex, "hex"))), { instanceOf: CborError }, hex);
  }
  t.is(new CborReader(Buffer.from("1818", "hex")).uint(), 24);
  t.is(new CborReader(Buffer.from("190100", "hex")).uint(), 256);
  t.is(new CborReader(Buffer.from("1a00010000", "hex")).uint(), 65536);
  t.is(new CborReader(Buffer.from("1b0000000100000000", "hex")).uint(), 2 ** 32);
  t.is(new CborReader(Buffer.from("1bffffffffffffffff", "hex")).uint64(), 2n ** 64n - 1n);
});

test("a negative number is not written as another item", (t) => {
  const out = new CborWriter();
  t.throws(() => out.uint(-1), { instanceOf: RangeError });
  t.throws(() => out.array(-1), { instanceOf: RangeError });
  t.throws(() => out.uint(Number.NaN), { instanceOf: RangeError });
  t.is(out.length, 0);
});

test("a length far past the end is rejected without allocating memory", (t) => {
  const before = process.memoryUsage().arrayBuffers;
  for (const hex of ["5a7fffffff00", "5b001fffffffffffff00", "7b001fffffffffffff00"]) {
    const reader = new CborReader(Buffer.from(hex, "hex"));
    const ask = () => (hex.startsWith("5") ? reader.bytes() : reader.text());
    t.throws(ask, { instanceOf: CborEnd }, hex);
  }
  t.true(process.memoryUsage().arrayBuffers - before < 1 << 20);
});
