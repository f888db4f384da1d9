import test from "ava";
import fc from "fast-check";
import { EtcdError } from "../../../src/sources/etcd/errors.js";
import { decodeRecords, scanRangeResponse } from "../../../src/sources/etcd/range-response.js";
import { anyResponse, encodeResponse } from "../../support/servers/etcd-responses.js";

const record = fc.record({
  key: fc.uint8Array({ minLength: 1, maxLength: 40 }),
  value: fc.uint8Array({ maxLength: 300 }),
  revision: fc.maxSafeNat(),
  version: fc.nat(),
  lease: fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
});

for (const [name, decode] of Object.entries({ decodeRecords, scanRangeResponse })) {
  test(`${name} decodes any bytes or throws ETCD_PROTOCOL`, (t) => {
    const response = record.map(({ key, value, revision, version, lease }) =>
      encodeResponse("KV/Range", {
        header: { cluster_id: "7" },
        kvs: [{ key, value, mod_revision: revision, version, lease: `${lease}` }],
        more: true,
      }),
    );
    fc.assert(
      fc.property(anyResponse(response), (bytes) => {
        try {
          decode(bytes);
        } catch (error) {
          t.true(error instanceof EtcdError && error.code === "ETCD_PROTOCOL", `${error}`);
        }
      }),
      { numRuns: 3000 },
    );
    t.pass();
  });
}

test("records are read as etcd3's definition of them encodes them", (t) => {
  const response = fc.record({
    records: fc.array(record, { maxLength: 5 }),
    more: fc.boolean(),
    count: fc.maxSafeNat(),
  });
  fc.assert(
    fc.property(response, ({ records, more, count }) => {
      const page = encodeResponse("KV/Range", {
        header: { cluster_id: `${2n ** 64n - 1n}`, revision: 5 },
        kvs: records.map(({ key, value, revision, version, lease }) => ({
          ...{ key, value, version },
          create_revision: Math.floor(revision / 2),
          mod_revision: revision,
          lease: `${lease}`,
        })),
        more,
        count,
      });
      t.deepEqual(
        decodeRecords(page),
        records.map(({ key, value, revision, version, lease }) => ({
          key: Buffer.from(key),
          value: Buffer.from(value),
          createRevision: Math.floor(revision / 2),
          modRevision: revision,
          version,
          lease,
        })),
      );
      const [first, last] = [records[0], records.at(-1)];
      t.deepEqual(scanRangeResponse(page), {
        keys: records.length,
        more,
        count,
        firstKey: first && Buffer.from(first.key),
        lastKey: last && Buffer.from(last.key),
      });
    }),
  );
});

test("a field cannot reach past the record that holds it", (t) => {
  const page = Buffer.from([0x12, 2, 0x0a, 5, 1, 2, 3, 4, 5]);
  for (const decode of [decodeRecords, scanRangeResponse]) {
    t.throws(() => decode(page), { instanceOf: EtcdError, code: "ETCD_PROTOCOL" });
  }
});
