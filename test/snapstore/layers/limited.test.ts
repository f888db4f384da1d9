import { randomBytes } from "node:crypto";
import test from "ava";
import { InterruptedError } from "../../../src/errors.js";
import type { Clock } from "../../../src/flow/sleep.js";
import { LimitedStore } from "../../../src/snapstore/layers/limited.js";
import { LocalStore } from "../../../src/snapstore/local/store.js";
import { MeteredStore } from "../../../src/snapstore/layers/metered.js";
import { S3Store } from "../../../src/snapstore/s3/store.js";
import { FaultyProxy } from "../../support/network/faulty-proxy.js";
import { newFolder } from "../../support/folders.js";
import { newBucket, radosgw, s3Config } from "../../support/stores/s3-buckets.js";
import { conformance, readAll, refused } from "../conformance.js";

const container = newFolder();

conformance("Local, limited and metered", async (prefix) => {
  const local = new LocalStore({ provider: "Local", container, prefix });
  return new MeteredStore(new LimitedStore(local, { calls: 2, bytesPerSecond: 2 ** 30 }));
});

test("the number of concurrent calls is limited", async (t) => {
  const slow = { kind: "slow", ms: 300 } as const;
  const proxy = await FaultyProxy.start(radosgw().endpoint, () => slow);
  const s3 = new S3Store(s3Config(await newBucket(), { endpoint: proxy.url }));
  const store = new LimitedStore(s3, { calls: 3 });
  const keys = Array.from({ length: 12 }, (_, i) => `k${i}`);
  await Promise.all(keys.map((key) => store.put(key, Buffer.from(key))));
  await Promise.all(keys.map((key) => readAll(store, key)));
  await Promise.all(keys.map((key) => store.head(key)));
  t.is(proxy.most, 3);
  await store.close();
  await proxy.close();
});

test("a waiting call can be interrupted, and does not use up a slot", async (t) => {
  const local = new LocalStore({ provider: "Local", container: newFolder(), prefix: "" });
  const store = new LimitedStore(local, { calls: 1 });
  await store.put("k", randomBytes(3 << 20));
  const reading = store.get("k")[Symbol.asyncIterator]();
  await reading.next();
  const controller = new AbortController();
  const waiting = store.head("k", controller.signal);
  const patient = store.head("k");
  controller.abort();
  await t.throwsAsync(waiting, { instanceOf: InterruptedError });
  await reading.return?.();
  t.is((await patient)?.size, 3 << 20);
  t.is((await store.head("k"))?.size, 3 << 20);
});

test("the bandwidth of both directions together is limited", async (t) => {
  let now = 1000;
  const clock: Clock = {
    now: () => now,
    sleep: async (ms) => {
      now += ms;
    },
  };
  const local = new LocalStore({ provider: "Local", container: newFolder(), prefix: "" });
  const store = new LimitedStore(local, { calls: 1, bytesPerSecond: 1_000_000 }, clock);
  for (let i = 0; i < 5; i++) await store.put(`k${i}`, Buffer.alloc(500_000));
  t.is(now, 1000 + 2000);
  for (let i = 0; i < 5; i++) await readAll(store, `k${i}`);
  t.is(now, 1000 + 4500);
});

test("calls, bytes and errors are counted by operation and code", async (t) => {
  let now = 0;
  const local = new LocalStore({ provider: "Local", container: newFolder(), prefix: "" });
  const store = new MeteredStore(local, () => now++);
  await store.put("k", Buffer.alloc(1000));
  await refused(t, "STORE_EXISTS", () => store.put("k", Buffer.alloc(7), { ifAbsent: true }));
  await readAll(store, "k", { offset: 100 });
  await refused(t, "STORE_NOT_FOUND", () => readAll(store, "missing"));
  const upload = await store.startUpload("u", { partBytes: 10 });
  await upload.part(0, Buffer.alloc(10));
  await upload.part(1, Buffer.alloc(3));
  await upload.complete({ parts: 2, size: 13, sha256: "" });
  const none = { errors: {}, bytesOut: 0, bytesIn: 0 };
  t.deepEqual(store.counts, {
    put: { ...none, calls: 2, bytesOut: 1000, errors: { STORE_EXISTS: 1 }, milliseconds: 2 },
    get: { ...none, calls: 2, bytesIn: 900, errors: { STORE_NOT_FOUND: 1 }, milliseconds: 2 },
    startUpload: { ...none, calls: 1, milliseconds: 1 },
    part: { ...none, calls: 2, bytesOut: 13, milliseconds: 2 },
    complete: { ...none, calls: 1, milliseconds: 1 },
  });
});
