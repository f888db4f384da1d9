import test from "ava";
import fc from "fast-check";
import { CborError, CborReader, CborWriter } from "../../src/archive/cbor.js";
import {
  decodeIndexItem,
  encodeIndexedBackup,
  encodeIndexedKey,
  encodeIndexedObject,
  encodeIndexedPool,
  encodeIndexRestart,
  type IndexItem,
} from "../../src/archive/index/index-items.js";
import {
  type ArchivedPair,
  decodeAttributes,
  decodeLease,
  decodePairs,
  decodeRecord,
  decodeTombstone,
  encodeAttributes,
  encodeLease,
  encodePairs,
  encodeRecord,
  encodeTombstone,
} from "../../src/archive/records.js";

const bytes = fc.uint8Array({ maxLength: 60 }).map((b) => Buffer.from(b));
const count = fc.maxSafeNat();
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const text = fc.string({ unit: "binary", maxLength: 20 });
const pairs: fc.Arbitrary<ArchivedPair[]> = fc.array(fc.tuple(bytes, bytes), { maxLength: 5 });
const place = { backup: count, file: count, offset: count };
const name = { namespace: bytes, locator: bytes, name: bytes };

const indexItem: fc.Arbitrary<IndexItem> = fc.oneof(
  fc.record({ kind: fc.constant("backup" as const), backup: count, id: bytes }),
  fc.record({ kind: fc.constant("pool" as const), pool: count, name: text }),
  fc.record({ kind: fc.constant("restart" as const) }),
  fc.record({
    kind: fc.constant("object" as const),
    pool: count,
    ...name,
    size: count,
    mtime: int64,
    version: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    ...place,
  }),
  fc.record(
    {
      kind: fc.constant("key" as const),
      key: bytes,
      modRevision: count,
      version: count,
      ...place,
      digest: fc.uint8Array({ minLength: 16, maxLength: 16 }).map((b) => Buffer.from(b)),
    },
    { requiredKeys: ["kind", "key", "modRevision", "version", "backup", "file", "offset"] },
  ),
);

function encodeIndexItem(out: CborWriter, item: IndexItem): void {
  if (item.kind === "backup") encodeIndexedBackup(out, item.backup, item.id);
  else if (item.kind === "pool") encodeIndexedPool(out, item.pool, item.name);
  else if (item.kind === "restart") encodeIndexRestart(out);
  else if (item.kind === "object") encodeIndexedObject(out, item);
  else encodeIndexedKey(out, item);
}

interface Codec<T> {
  readonly name: string;
  readonly values: fc.Arbitrary<T>;
  encode(out: CborWriter, value: T): void;
  decode(from: CborReader): T;
}

function holds<T>({ name: what, values, encode, decode }: Codec<T>): void {
  const bytesOf = (items: readonly T[]) => {
    const out = new CborWriter();
    for (const item of items) encode(out, item);
    return out.view();
  };

  test(`${what}: any sequence is read as it was written`, (t) => {
    fc.assert(
      fc.property(fc.array(values, { maxLength: 5 }), (items) => {
        const reader = new CborReader(bytesOf(items));
        t.deepEqual(
          items.map(() => decode(reader)),
          items,
        );
        t.true(reader.atEnd);
      }),
    );
  });

  test(`${what}: any bytes, and any change to valid ones, are read or a CborError`, (t) => {
    const read = (encoded: Uint8Array) => {
      const reader = new CborReader(encoded);
      try {
        while (!reader.atEnd) decode(reader);
      } catch (error) {
        t.true(error instanceof CborError, String(error));
        t.false((error as Error).message.includes("call stack"));
      }
    };
    const change = fc.tuple(fc.nat(), fc.nat(255));
    fc.assert(
      fc.property(values, fc.array(change, { maxLength: 3 }), (item, changes) => {
        const encoded = Buffer.from(bytesOf([item]));
        for (const [at, value] of changes) encoded[at % encoded.length] = value;
        read(encoded);
      }),
      { numRuns: 500 },
    );
    fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), read), { numRuns: 1000 });
    t.pass();
  });
}

holds({ name: "index item", values: indexItem, encode: encodeIndexItem, decode: decodeIndexItem });
holds({
  name: "etcd record",
  values: fc.record({
    key: bytes,
    value: bytes,
    createRevision: count,
    modRevision: count,
    version: count,
    lease: int64,
  }),
  encode: encodeRecord,
  decode: decodeRecord,
});
holds({
  name: "lease",
  values: fc.record({ id: int64, grantedTtl: count }),
  encode: encodeLease,
  decode: decodeLease,
});
holds({
  name: "attributes",
  values: fc.record({ xattrs: pairs, omapHeader: bytes, omap: pairs }),
  encode: encodeAttributes,
  decode: decodeAttributes,
});
holds({ name: "omap page", values: pairs, encode: encodePairs, decode: decodePairs });
holds({
  name: "tombstone",
  values: fc.oneof(
    fc.record({ kind: fc.constant("key" as const), key: bytes }),
    fc.record({ kind: fc.constant("object" as const), pool: text, ...name }),
  ),
  encode: encodeTombstone,
  decode: decodeTombstone,
});

test("a digest that is not 16 bytes long is rejected", (t) => {
  for (const length of [0, 15, 17]) {
    const out = new CborWriter();
    const digest = Buffer.alloc(length);
    const key = {
      key: Buffer.from("k"),
      modRevision: 1,
      version: 1,
      backup: 0,
      file: 0,
      offset: 0,
    };
    encodeIndexedKey(out, { ...key, digest });
    t.throws(() => decodeIndexItem(new CborReader(out.view())), { instanceOf: CborError });
  }
});
