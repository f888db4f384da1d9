import test from "ava";
import fc from "fast-check";
import { EtcdError } from "../../../../src/sources/etcd/errors.js";
import { decodeWatchAnswer } from "../../../../src/sources/etcd/watch/watch-answer.js";
import { anyResponse, encodeResponse } from "../../../support/servers/etcd-responses.js";

const ANSWER = {
  header: { cluster_id: `${2n ** 64n - 1n}`, member_id: "1", revision: 99, raft_term: 4 },
  watch_id: "-1",
  created: true,
  fragment: true,
  events: [
    {
      type: 0,
      kv: {
        key: Buffer.from("a"),
        create_revision: 3,
        mod_revision: 98,
        version: 2,
        value: Buffer.from("value"),
        lease: `${-(2n ** 63n)}`,
      },
      prev_kv: { key: Buffer.from("a"), mod_revision: 5 },
    },
    { type: 1, kv: { key: Buffer.from("b"), mod_revision: 99 } },
  ],
};

test("an answer has its events with their bytes as they came", (t) => {
  const answer = decodeWatchAnswer(encodeResponse("Watch/Watch", ANSWER));
  const [put, deletion] = answer.events;
  t.like(answer, {
    clusterId: 2n ** 64n - 1n,
    revision: 99,
    created: true,
    canceled: false,
    compactRevision: 0,
    cancelReason: "",
    fragment: true,
  });
  t.like(put, { deleted: false, modRevision: 98, lease: -(2n ** 63n) });
  t.like(deletion, { deleted: true, modRevision: 99, lease: 0n });
  const [kv] = ANSWER.events.map((event) => encodeResponse("KV/Put", { prev_kv: event.kv }));
  // Behind the tag and the length of the field.
  t.deepEqual(Buffer.from(put?.kv ?? []), kv?.subarray(2));
});

test("a cancellation has its reason, and the compact revision", (t) => {
  const canceled = { canceled: true, compact_revision: "77", cancel_reason: "compacted" };
  t.like(decodeWatchAnswer(encodeResponse("Watch/Watch", canceled)), {
    canceled: true,
    compactRevision: 77,
    cancelReason: "compacted",
    events: [],
  });
});

test("any bytes are decoded or give ETCD_PROTOCOL", (t) => {
  let rejected = 0;
  const encoded = fc.constant(null).map(() => encodeResponse("Watch/Watch", ANSWER));
  fc.assert(
    fc.property(anyResponse(encoded), (bytes) => {
      try {
        decodeWatchAnswer(bytes);
      } catch (error) {
        if (!(error instanceof EtcdError) || error.code !== "ETCD_PROTOCOL") throw error;
        rejected++;
      }
    }),
    { numRuns: 3000 },
  );
  t.true(rejected > 0);
});
