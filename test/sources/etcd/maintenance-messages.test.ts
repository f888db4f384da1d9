import test from "ava";
import fc from "fast-check";
import { EtcdError } from "../../../src/sources/etcd/errors.js";
import { decodeAlarms, decodeStatus } from "../../../src/sources/etcd/maintenance-messages.js";
import { bigintFieldSize, ProtoWriter } from "../../../src/sources/etcd/proto-writer.js";

test("a status has the facts of a member, and the quota that servers from etcd 3.6 on tell", (t) => {
  const writer = new ProtoWriter();
  const clusterId = 0xcdf818194e3a8c32n >> 1n;
  writer.startMessage(1, bigintFieldSize(clusterId) + 2);
  writer.bigintField(1, clusterId);
  writer.numberField(3, 26);
  writer.stringField(2, "3.6.1");
  writer.numberField(3, 20_480);
  writer.bigintField(4, 7n);
  writer.numberField(5, 31);
  writer.numberField(7, 29);
  writer.stringField(8, "an error");
  writer.numberField(12, 2 ** 33);
  t.deepEqual(decodeStatus(writer.finish()), {
    clusterId,
    version: "3.6.1",
    databaseBytes: 20_480,
    quotaBytes: 2 ** 33,
    leader: 7n,
    revision: 26,
  });
});

test("alarms come with their members, an unknown one with its number, and NONE is none", (t) => {
  const writer = new ProtoWriter();
  for (const kind of [1, 2, 0, 9]) {
    writer.startMessage(2, kind === 0 ? 2 : 4);
    writer.bigintField(1, 5n);
    writer.numberField(2, kind);
  }
  t.deepEqual(decodeAlarms(writer.finish()), [
    { member: 5n, kind: "NOSPACE" },
    { member: 5n, kind: "CORRUPT" },
    { member: 5n, kind: "number 9" },
  ]);
});

test("any bytes end in facts or in ETCD_PROTOCOL", (t) => {
  let refused = 0;
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      for (const decode of [decodeStatus, decodeAlarms]) {
        try {
          decode(Buffer.from(bytes));
        } catch (error) {
          if (!(error instanceof EtcdError) || error.code !== "ETCD_PROTOCOL") throw error;
          refused++;
        }
      }
    }),
  );
  t.true(refused > 0);
});
