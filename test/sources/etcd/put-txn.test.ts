import test from "ava";
import fc from "fast-check";
import { encodePutTxn } from "../../../src/sources/etcd/put-txn.js";
import { TXN } from "../../../src/sources/etcd/rpc.js";

test("a transaction of puts is encoded as etcd3's definition of it encodes it", (t) => {
  const put = fc.record({
    key: fc.uint8Array({ minLength: 1, maxLength: 40 }),
    value: fc.uint8Array({ minLength: 1, maxLength: 300 }),
    lease: fc.bigInt(1n - 2n ** 63n, 2n ** 63n - 1n).map((id) => `${id}`),
  });
  fc.assert(
    fc.property(fc.array(put, { maxLength: 5 }), (puts) => {
      const success = puts.map(({ key, value, lease }) => ({
        request_put: lease === "0" ? { key, value } : { key, value, lease },
      }));
      t.deepEqual(encodePutTxn(puts), TXN.encode({ success }));
    }),
  );
});
