import test from "ava";
import fc from "fast-check";
import { EtcdError } from "../../../src/sources/etcd/errors.js";
import {
  AUTHENTICATE,
  DELETE_RANGE,
  LEASE_GRANT,
  LEASE_TIME_TO_LIVE,
  RANGE,
  TXN,
} from "../../../src/sources/etcd/rpc.js";
import { anyResponse, encodeResponse } from "../../support/servers/etcd-responses.js";

const header = { cluster_id: `${2n ** 64n - 1n}`, member_id: "1", revision: `${2n ** 62n}` };
const RESPONSES = [
  [AUTHENTICATE, { header, token: "token" }],
  [RANGE, { header, kvs: [{ key: Buffer.from("key"), value: Buffer.alloc(5, 1) }], count: "1" }],
  [DELETE_RANGE, { header, deleted: "3" }],
  [TXN, { header, succeeded: true, responses: [{ response_delete_range: { deleted: "1" } }] }],
  [LEASE_GRANT, { header, ID: `${-(2n ** 63n)}`, TTL: "60" }],
  [LEASE_TIME_TO_LIVE, { header, ID: `${2n ** 63n - 1n}`, TTL: "-1", grantedTTL: "60" }],
] as const;

for (const [rpc, response] of RESPONSES) {
  test(`a response of ${rpc.name} keeps its 64-bit integers and bytes`, (t) => {
    const decoded: object = rpc.decode(encodeResponse(rpc.name, response));
    t.deepEqual(decoded, response);
  });

  test(`${rpc.name} decodes any bytes or throws ETCD_PROTOCOL`, (t) => {
    const encoded = fc.constant(null).map(() => encodeResponse(rpc.name, response));
    fc.assert(
      fc.property(anyResponse(encoded), (bytes) => {
        try {
          rpc.decode(bytes);
        } catch (error) {
          t.true(error instanceof EtcdError && error.code === "ETCD_PROTOCOL", `${error}`);
        }
      }),
      { numRuns: 3000 },
    );
    t.pass();
  });
}

test("a field that etcd3 does not define is ignored", (t) => {
  const later = Buffer.from([(15 << 3) | 2, 1, 0xff]);
  const response = Buffer.concat([encodeResponse("KV/DeleteRange", { deleted: "3" }), later]);
  t.deepEqual(DELETE_RANGE.decode(response), { deleted: "3" });
});
