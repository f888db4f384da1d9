import { createHash } from "node:crypto";
import test from "ava";
import fc from "fast-check";
import { CborWriter } from "../../src/archive/cbor.js";
import { digestEncodedRecord, RecordDigester } from "../../src/archive/record-digest.js";
import { encodeRecord } from "../../src/archive/records.js";

test("a digest is the first 16 bytes of the SHA-256 of the record as it is archived", (t) => {
  const digester = new RecordDigester();
  const bytes = fc.uint8Array({ maxLength: 300 });
  const number = fc.maxSafeNat();
  const record = fc.record({
    key: bytes,
    value: bytes,
    createRevision: number,
    modRevision: number,
    version: number,
    lease: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  });
  fc.assert(
    fc.property(record, (any) => {
      const out = new CborWriter();
      encodeRecord(out, any);
      const expected = createHash("sha256").update(out.view()).digest().subarray(0, 16);
      t.deepEqual(Buffer.from(digester.digest(any)), expected);
      t.deepEqual(Buffer.from(digestEncodedRecord(out.view())), expected);
    }),
  );
});
