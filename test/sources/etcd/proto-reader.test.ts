import test from "ava";
import fc from "fast-check";
import { decodeAuthToken } from "../../../src/sources/etcd/auth-messages.js";
import { decodeDeleted, decodeTxnDeleted } from "../../../src/sources/etcd/delete-messages.js";
import { EtcdError } from "../../../src/sources/etcd/errors.js";
import {
  decodeLeaseGrant,
  decodeLeaseTimeToLive,
} from "../../../src/sources/etcd/lease-messages.js";
import { ProtoReader } from "../../../src/sources/etcd/proto-reader.js";
import { ProtoWriter } from "../../../src/sources/etcd/proto-writer.js";
import { decodeRecords, scanRangeResponse } from "../../../src/sources/etcd/range-response.js";
import { decodeHeader } from "../../../src/sources/etcd/response-header.js";

const DECODERS = {
  decodeAuthToken,
  decodeDeleted,
  decodeHeader,
  decodeLeaseGrant,
  decodeLeaseTimeToLive,
  decodeRecords,
  decodeTxnDeleted,
  scanRangeResponse,
};

/** A record as etcd would send it. */
const message = fc
  .record({
    key: fc.uint8Array({ minLength: 1, maxLength: 40 }),
    value: fc.uint8Array({ maxLength: 300 }),
    revision: fc.maxSafeNat(),
    lease: fc.bigInt(0n, 2n ** 63n - 1n),
  })
  .map((record) => {
    const inner = new ProtoWriter();
    inner.bytesField(1, record.key);
    inner.numberField(2, record.revision);
    inner.numberField(3, record.revision);
    inner.numberField(4, 1);
    inner.bytesField(5, record.value);
    inner.bigintField(6, record.lease);
    const writer = new ProtoWriter();
    writer.bytesField(2, inner.finish());
    return { record, bytes: Buffer.from(writer.finish()) };
  });

for (const [name, decode] of Object.entries(DECODERS)) {
  test(`${name} ends any bytes in values or in ETCD_PROTOCOL`, (t) => {
    const damaged = fc.tuple(message, fc.nat(), fc.nat(255)).map(([{ bytes }, at, byte]) => {
      bytes[at % bytes.length] = byte;
      return bytes;
    });
    const cut = fc
      .tuple(message, fc.nat())
      .map(([{ bytes }, at]) => bytes.subarray(0, at % bytes.length));
    const any = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
    fc.assert(
      fc.property(fc.oneof(any, damaged, cut), (bytes) => {
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

test("what is written is what is read", (t) => {
  fc.assert(
    fc.property(fc.array(message, { maxLength: 5 }), (messages) => {
      const page = Buffer.concat(messages.map(({ bytes }) => bytes));
      const found = decodeRecords(page);
      t.deepEqual(
        found.map(({ key, value, modRevision, lease }) => [key, value, modRevision, lease]),
        messages.map(({ record: { key, value, revision, lease } }) => [
          Buffer.from(key),
          Buffer.from(value),
          revision,
          lease,
        ]),
      );
      const last = messages.at(-1)?.record.key;
      const { keys, lastKey } = scanRangeResponse(page);
      t.is(keys, messages.length);
      t.deepEqual(lastKey, last === undefined ? undefined : Buffer.from(last));
    }),
  );
});

test("a nested message cannot reach past the one around it", (t) => {
  const reader = new ProtoReader(Buffer.from([2, 0x0a, 5, 1, 2, 3, 4, 5]));
  reader.enter();
  reader.tag();
  t.throws(() => reader.bytes(), { instanceOf: EtcdError });
});
