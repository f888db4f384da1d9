import { createHash } from "node:crypto";
import test from "ava";
import { encode } from "cborg";
import fc from "fast-check";
import { changesDigest } from "../../../src/archive/delta/changes-digest.js";

const change = fc.record({
  deleted: fc.boolean(),
  kv: fc.oneof(
    { weight: 5, arbitrary: fc.uint8Array({ maxLength: 300 }) },
    { weight: 1, arbitrary: fc.nat(200_000).map((length) => new Uint8Array(length).fill(length)) },
  ),
});

test("the digest of changes is the start of the SHA-256 of their CBOR array, however long it is", (t) => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 30 }), (changes) => {
      const cbor = encode(changes.map(({ deleted, kv }) => [deleted ? 1 : 0, kv]));
      const expected = createHash("sha256").update(cbor).digest().subarray(0, 16);
      t.deepEqual(changesDigest(changes), expected);
    }),
    { numRuns: 60 },
  );
});

test("the digest of changes depends on their order, and on what each of them is", (t) => {
  const [a, b] = [Buffer.from("a"), Buffer.from("b")];
  const digests = [
    [],
    [{ deleted: false, kv: a }],
    [{ deleted: true, kv: a }],
    [
      { deleted: false, kv: a },
      { deleted: false, kv: b },
    ],
    [
      { deleted: false, kv: b },
      { deleted: false, kv: a },
    ],
  ].map((changes) => changesDigest(changes).toString("hex"));
  t.is(new Set(digests).size, digests.length);
});
