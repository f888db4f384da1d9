import { encode } from "@msgpack/msgpack";
import test from "ava";
import fc from "fast-check";
import { MsgpackError, MsgpackReader } from "../../../src/archive/original/msgpack-reader.js";

/** Compared with another MessagePack encoder. */

type Item = string | Uint8Array | bigint | Item[] | { [key: string]: Item };

const { item } = fc.letrec<{ item: Item }>((tie) => ({
  item: fc.oneof(
    { depthSize: "small", maxDepth: 4 },
    fc.string({ unit: "grapheme", maxLength: 300 }),
    fc.uint8Array({ maxLength: 300 }),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
    fc.array(tie("item"), { maxLength: 20 }),
    fc.dictionary(fc.string({ maxLength: 40 }), tie("item"), {
      maxKeys: 20,
      noNullPrototype: true,
    }),
  ),
}));

function read(reader: MsgpackReader, like: Item): Item {
  if (typeof like === "string") return reader.text();
  if (typeof like === "bigint") return reader.integer();
  if (like instanceof Uint8Array) return new Uint8Array(reader.bytes());
  if (Array.isArray(like)) {
    const items: Item[] = [];
    for (let left = reader.array(), i = 0; left > 0; left--, i++) {
      items.push(read(reader, like[i] as Item));
    }
    return items;
  }
  const fields: { [key: string]: Item } = {};
  for (let left = reader.map(); left > 0; left--) {
    const key = reader.text();
    Object.defineProperty(fields, key, {
      value: read(reader, like[key] as Item),
      enumerable: true,
    });
  }
  return fields;
}

test("items of another encoder are read and skipped to the last byte", (t) => {
  fc.assert(
    fc.property(item, (value) => {
      const bytes = encode(value, { useBigInt64: true });
      const reader = new MsgpackReader(bytes);
      t.deepEqual(read(reader, value), value);
      t.true(reader.atEnd);
      const other = new MsgpackReader(bytes);
      other.skip();
      t.true(other.atEnd);
    }),
  );
});

test("numbers of each width are read as they were written", (t) => {
  for (const value of [
    0, 127, 128, 255, 256, 65535, 65536, 4294967295, -1, -32, -33, -128, -32769,
  ]) {
    t.is(new MsgpackReader(encode(value)).integer(), BigInt(value));
  }
});

test("floats, booleans and nil are skipped", (t) => {
  const reader = new MsgpackReader(encode([1.5, true, false, null, "end"]));
  t.is(reader.array(), 5);
  for (let i = 0; i < 4; i++) reader.skip();
  t.is(reader.text(), "end");
});

test("truncated items and any other bytes give a MsgpackError or items", (t) => {
  fc.assert(
    fc.property(item, (value) => {
      const bytes = encode(value, { useBigInt64: true });
      for (let length = 0; length < Math.min(bytes.length, 200); length++) {
        t.throws(() => new MsgpackReader(bytes.subarray(0, length)).skip(), {
          instanceOf: MsgpackError,
        });
      }
    }),
    { numRuns: 50 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      const reader = new MsgpackReader(bytes);
      try {
        while (!reader.atEnd) reader.skip();
      } catch (error) {
        t.true(error instanceof MsgpackError, String(error));
      }
      t.pass();
    }),
    { numRuns: 3000 },
  );
});
