import { createHash, randomBytes } from "node:crypto";
import test, { type ExecutionContext } from "ava";
import { InterruptedError } from "../../../src/errors.js";
import type { Clock } from "../../../src/flow/sleep.js";
import { LocalStore } from "../../../src/snapstore/local/store.js";
import type { FailedCall, StoreRetryPolicy } from "../../../src/snapstore/layers/retry-policy.js";
import { RetryingStore } from "../../../src/snapstore/layers/retrying.js";
import { S3Store } from "../../../src/snapstore/s3/store.js";
import { uploadStream } from "../../support/stores/upload-stream.js";
import {
  type Fault,
  FaultyProxy,
  type Plan,
  seededPlan,
} from "../../support/network/faulty-proxy.js";
import { newFolder } from "../../support/folders.js";
import { newBucket, radosgw, s3Config } from "../../support/stores/s3-buckets.js";
import { conformance, listAll, readAll, refused } from "../conformance.js";

const bucket = await newBucket();

const container = newFolder();

conformance("Local, tried again", async (prefix) => {
  return new RetryingStore(new LocalStore({ provider: "Local", container, prefix }), {
    attempts: 2,
    firstDelayMs: 1,
  });
});

/** Records the waits, which take no time. */
class FakeClock implements Clock {
  readonly slept: number[] = [];
  #time = 0;

  now(): number {
    return this.#time;
  }

  async sleep(ms: number): Promise<void> {
    this.slept.push(ms);
    this.#time += ms;
  }
}

/** A store through a proxy to radosgw, and the same store without one. */
async function faulty(
  t: ExecutionContext<unknown>,
  plan: Plan,
  policy: Partial<StoreRetryPolicy> = {},
) {
  const prefix = randomBytes(6).toString("hex");
  const proxy = await FaultyProxy.start(radosgw().endpoint, plan);
  const clock = new FakeClock();
  const bare = new S3Store(s3Config(bucket, { prefix, endpoint: proxy.url }));
  const store = new RetryingStore(bare, { clock, random: () => 0.5, ...policy });
  const plain = new S3Store(s3Config(bucket, { prefix }));
  t.teardown(async () => {
    await store.close();
    await plain.close();
    await proxy.close();
  });
  return { proxy, clock, store, plain };
}

/** Faults of the first requests with this method. */
function first(method: string, ...faults: (Fault | undefined)[]): Plan {
  return (asked) => (asked.method === method ? faults.shift() : undefined);
}

const FAILED: Fault = { kind: "status", status: 500 };

test("a failed call is retried with exponential backoff and full jitter", async (t) => {
  const { proxy, clock, store } = await faulty(t, first("HEAD", FAILED, FAILED, FAILED));
  t.is(await store.head("k"), undefined);
  t.deepEqual(clock.slept, [100, 200, 400]);
  t.is(proxy.log.length, 4);
});

test("a throttled call waits at least for its Retry-After", async (t) => {
  const throttled: Fault = { kind: "status", status: 503, retryAfter: "7" };
  const { clock, store } = await faulty(t, first("HEAD", throttled, throttled));
  t.is(await store.head("k"), undefined);
  t.deepEqual(clock.slept, [7000 + 400, 7000 + 800]);
});

test("onRetry is called before each retry, with its delay and deadline", async (t) => {
  const told: FailedCall[] = [];
  const onRetry = (failed: FailedCall) => told.push(failed);
  const { store } = await faulty(t, () => FAILED, { attempts: 4, onRetry });
  await refused(t, "STORE_TRANSIENT", () => store.head("k"));
  t.deepEqual(
    told.map(({ failures, delayMs, mostDelaysMs }) => [failures, delayMs, mostDelaysMs]),
    [
      [1, 100, 100 + 400 + 800],
      [2, 200, 200 + 800],
      [3, 400, 400],
    ],
  );
  for (const { error } of told) t.regex(error.reason, /^k: .*500/);
});

test("the reported time is within the deadline of all attempts", async (t) => {
  const told: number[] = [];
  const onRetry = ({ mostDelaysMs }: FailedCall) => told.push(mostDelaysMs);
  const { store } = await faulty(t, () => FAILED, { attempts: 1000, totalMs: 2000, onRetry });
  await refused(t, "STORE_TRANSIENT", () => store.head("k"));
  t.deepEqual(told, [2000, 1900, 1700, 1300]);
});

test("the last attempt throws the error of the store", async (t) => {
  const { proxy, store } = await faulty(t, () => FAILED, { attempts: 4 });
  const error = await refused(t, "STORE_TRANSIENT", () => store.head("k"));
  t.regex(error.message, /^s3:.*k: .*500/);
  t.is(proxy.log.length, 4);
});

test("waits do not exceed the deadline of all attempts", async (t) => {
  const { clock, store } = await faulty(t, () => FAILED, {
    attempts: 1000,
    totalMs: 5000,
    random: () => 0.99,
  });
  await refused(t, "STORE_TRANSIENT", () => store.head("k"));
  t.true(clock.now() <= 5000 && clock.now() > 2000, `${clock.now()}`);
});

test("a failure that is not retryable is not retried", async (t) => {
  const { proxy, store, plain } = await faulty(t, () => undefined);
  await plain.put("k", Buffer.from("x"));
  await refused(t, "STORE_NOT_FOUND", () => readAll(store, "missing", { offset: 0, length: 5 }));
  await refused(t, "STORE_EXISTS", () => store.put("k", Buffer.from("y"), { ifAbsent: true }));
  t.is(proxy.log.length, 2);
});

test("a read continues after the last received byte", async (t) => {
  const bytes = randomBytes(3 << 20);
  const { proxy, store, plain } = await faulty(
    t,
    first(
      "GET",
      { kind: "cut-answer", after: 1_000_000 },
      { kind: "drop" },
      {
        kind: "cut-answer",
        after: 500_000,
      },
    ),
  );
  await plain.put("k", bytes);
  t.true((await readAll(store, "k")).equals(bytes));
  const ranges = proxy.log.filter(({ method }) => method === "GET").map((r) => r.headers["range"]);
  t.is(ranges.length, 4);
  t.is(ranges[0], undefined);
  t.regex(ranges[1] ?? "", /^bytes=\d+-$/);
  t.is(ranges[2], ranges[1]);
  t.true(Number(ranges[3]?.slice(6, -1)) > Number(ranges[2]?.slice(6, -1)));
});

test("a short read that fails starts again, and yields no byte twice", async (t) => {
  const bytes = randomBytes(300_000);
  const { store, plain } = await faulty(
    t,
    first("GET", { kind: "cut-answer", after: 200_000 }, { kind: "cut-answer", after: 1 }),
  );
  await plain.put("k", bytes);
  t.true(
    (await readAll(store, "k", { offset: 10, length: 250_000 })).equals(
      bytes.subarray(10, 250_010),
    ),
  );
});

test("a read does not continue in another object", async (t) => {
  const [one, two] = [randomBytes(2 << 20), randomBytes(2 << 20)];
  const { store, plain } = await faulty(t, first("GET", { kind: "cut-answer", after: 900_000 }), {
    attempts: 2,
  });
  await plain.put("k", one);
  const got: Uint8Array[] = [];
  await refused(t, "STORE_TRANSIENT", async () => {
    for await (const piece of store.get("k")) {
      if (got.length === 0) await plain.put("k", two);
      got.push(piece);
    }
  });
  const read = Buffer.concat(got);
  t.true(read.equals(one.subarray(0, read.length)));
});

test("a put with ifAbsent succeeds if its response was lost", async (t) => {
  const { store, plain } = await faulty(t, first("PUT", { kind: "lose-answer" }));
  await store.put("k", Buffer.from("mine"), { ifAbsent: true });
  t.is((await readAll(plain, "k")).toString(), "mine");
});

test("a put with ifAbsent fails if another writer was first, although its first attempt failed", async (t) => {
  const { proxy, store, plain } = await faulty(t, () => undefined);
  const others: Promise<void>[] = [];
  proxy.plan = first("PUT", { kind: "drop" });
  const { plan } = proxy;
  proxy.plan = (asked) => {
    if (asked.method === "PUT") others.push(plain.put("k", Buffer.from("theirs")));
    return plan(asked);
  };
  const policy = { clock: { now: () => 0, sleep: async () => void (await Promise.all(others)) } };
  const patient = new RetryingStore(
    new S3Store(
      s3Config(bucket, { prefix: plain.name.split("/").at(-1) ?? "", endpoint: proxy.url }),
    ),
    policy,
  );
  await refused(t, "STORE_EXISTS", () => patient.put("k", Buffer.from("mine"), { ifAbsent: true }));
  t.is((await readAll(store, "k")).toString(), "theirs");
  await patient.close();
});

test("an upload completes although the response to complete was lost", async (t) => {
  const bytes = randomBytes((5 << 20) + 10);
  const { store, plain } = await faulty(
    t,
    first("POST", undefined, { kind: "lose-answer" }, FAILED),
  );
  const upload = await store.startUpload("k", { partBytes: 5 << 20, ifAbsent: true });
  await upload.part(0, bytes.subarray(0, 5 << 20));
  await upload.part(1, bytes.subarray(5 << 20));
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  await upload.complete({ parts: 2, size: bytes.length, sha256 });
  t.true((await readAll(plain, "k")).equals(bytes));
  t.is(await plain.abortStaleUploads("", new Date(Date.now() + 86_400_000)), 0);
});

test("corrupted bytes are rejected by the server, and sent again", async (t) => {
  const bytes = randomBytes(100_000);
  const { proxy, store, plain } = await faulty(
    t,
    first("PUT", { kind: "spoil-request", at: 50_000 }),
  );
  await store.put("k", bytes);
  t.true((await readAll(plain, "k")).equals(bytes));
  t.is(proxy.log.filter(({ method }) => method === "PUT").length, 2);
});

test("an attempt that hangs ends at its deadline", async (t) => {
  const { proxy, store, plain } = await faulty(
    t,
    (asked) => (asked.nth === 0 ? { kind: "hang" } : undefined),
    { callMs: 5000 },
  );
  await plain.put("k", Buffer.from("x"));
  t.is((await store.head("k"))?.size, 1);
  t.is((await readAll(store, "k", { offset: 0, length: 1 })).toString(), "x");
  t.true(proxy.log.length >= 4);
});

test("a signal ends the retries", async (t) => {
  const controller = new AbortController();
  const { store } = await faulty(t, () => {
    controller.abort();
    return FAILED;
  });
  await t.throwsAsync(store.head("k", controller.signal), { instanceOf: InterruptedError });
});

for (let seed = 0; seed < 12; seed++) {
  // Serial, since each keeps the machine busy.
  test.serial(`objects survive random network faults: seed ${seed}`, async (t) => {
    const plan = seededPlan(`retrying ${seed}`, 0.25);
    const { proxy, store, plain } = await faulty(t, () => undefined, { attempts: 20 });
    // The faults depend on the keys, which must be the same in each run.
    const prefix = plain.name.split("/").at(-1) ?? "";
    const same = (url: string) => url.replaceAll(prefix, "p").replace(/uploadId=[^&]*/, "");
    proxy.plan = (asked) => plan({ ...asked, url: same(asked.url) });
    const contents = new Map<string, Buffer>();
    for (let i = 0; i < 6; i++) contents.set(`small/${i}`, randomBytes(i * 3000));
    contents.set("large", randomBytes((11 << 20) + 17));
    for (const [key, bytes] of contents) {
      const sha256 = () => createHash("sha256").update(bytes).digest("hex");
      const source = (async function* () {
        for (let at = 0; at < bytes.length; at += 700_000) yield bytes.subarray(at, at + 700_000);
      })();
      await uploadStream(store, key, source, { sha256, ifAbsent: true });
    }
    for (const [key, bytes] of contents) t.true((await readAll(store, key)).equals(bytes), key);
    t.deepEqual((await listAll(plain, "")).keys, [...contents.keys()].sort());
    t.true(proxy.log.some(({ fault }) => fault !== undefined));
  });
}
