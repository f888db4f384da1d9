import test from "ava";
import fc from "fast-check";
import protobuf from "protobufjs/minimal.js";
import { EtcdError } from "../../../src/sources/etcd/errors.js";
import { decodeAlarms, decodeStatus } from "../../../src/sources/etcd/member.js";
import { encodeResponse } from "../../support/servers/etcd-responses.js";

const CLUSTER_ID = 0xcdf818194e3a8c32n;
const STATUS = {
  header: { cluster_id: `${CLUSTER_ID}`, member_id: "7", revision: 26 },
  version: "3.6.1",
  dbSize: 20_480,
  isLearner: true,
  leader: `${2n ** 64n - 1n}`,
  raftIndex: 31,
  raftAppliedIndex: 29,
  errors: ["an error"],
};

test("a status has the facts of a member", (t) => {
  t.deepEqual(decodeStatus(encodeResponse("Maintenance/Status", STATUS)), {
    clusterId: CLUSTER_ID,
    id: 7n,
    isLearner: true,
    version: "3.6.1",
    databaseBytes: 20_480,
    quotaBytes: 0,
    leader: 2n ** 64n - 1n,
    revision: 26,
    raftIndex: 29,
    committedIndex: 31,
    errors: ["an error"],
  });
});

test("a status has the quota, which servers report from etcd 3.6 on", (t) => {
  for (const quota of [1, 2 ** 31, 2 ** 33, 2 ** 53 - 1]) {
    const field = new protobuf.BufferWriter().uint32(12 << 3).int64(quota);
    const response = [encodeResponse("Maintenance/Status", STATUS), field.finish()];
    t.is(decodeStatus(Buffer.concat(response)).quotaBytes, quota);
  }
});

test("alarms have their members, an unknown one its number, and NONE is left out", (t) => {
  const alarms = [1, 2, 0, 9].map((alarm) => ({ memberID: "5", alarm }));
  t.deepEqual(decodeAlarms(encodeResponse("Maintenance/Alarm", { alarms })), [
    { member: 5n, kind: "NOSPACE" },
    { member: 5n, kind: "CORRUPT" },
    { member: 5n, kind: "number 9" },
  ]);
});

test("any bytes are decoded or give ETCD_PROTOCOL", (t) => {
  let rejected = 0;
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      for (const decode of [decodeStatus, decodeAlarms]) {
        try {
          decode(Buffer.from(bytes));
        } catch (error) {
          if (!(error instanceof EtcdError) || error.code !== "ETCD_PROTOCOL") throw error;
          rejected++;
        }
      }
    }),
  );
  t.true(rejected > 0);
});
