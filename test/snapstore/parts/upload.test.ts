import { createHash, randomBytes } from "node:crypto";
import test from "ava";
import fc from "fast-check";
import { InterruptedError } from "../../../src/errors.js";
import { LocalStore } from "../../../src/snapstore/local/store.js";
import { MeteredStore } from "../../../src/snapstore/layers/metered.js";
import { S3Store } from "../../../src/snapstore/s3/store.js";
import type { SnapStore, StoreCapabilities, StoreUpload } from "../../../src/snapstore/store.js";
import { PartWriter } from "../../../src/snapstore/parts/upload.js";
import { FaultyProxy } from "../../support/network/faulty-proxy.js";
import { newFolder } from "../../support/folders.js";
import { newBucket, radosgw, s3Config } from "../../support/stores/s3-buckets.js";
import { uploadStream } from "../../support/stores/upload-stream.js";
import { readAll, refused } from "../conformance.js";

const TOMORROW = new Date(Date.now() + 86_400_000);

/** A folder with the limits of another store, which records the parts. */
class WatchedStore extends LocalStore {
  readonly order: number[] = [];
  /** Maximum of concurrent parts. */
  most = 0;
  readonly memory = new Set<ArrayBufferLike>();
  override readonly capabilities: StoreCapabilities;
  #now = 0;

  constructor(more: Partial<StoreCapabilities> = {}) {
    super({ provider: "Local", container: newFolder(), prefix: "" });
    this.capabilities = {
      parallelParts: true,
      atomicIfAbsent: true,
      minPartBytes: 1,
      maxPartBytes: 2 ** 40,
      maxParts: 10_000,
      locks: "never",
      ...more,
    };
  }

  override async startUpload(...args: Parameters<SnapStore["startUpload"]>): Promise<StoreUpload> {
    const upload = await super.startUpload(...args);
    return {
      part: async (number, bytes, signal) => {
        this.order.push(number);
        this.memory.add(bytes.buffer);
        this.most = Math.max(this.most, ++this.#now);
        const before = Buffer.from(bytes);
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 5));
        // Buffers must not be reused before the part is sent.
        if (!before.equals(bytes)) throw new Error("a part changed while it was sent");
        await upload.part(number, bytes, signal);
        this.#now--;
      },
      complete: (facts, signal) => upload.complete(facts, signal),
      abort: () => upload.abort(),
    };
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

async function* inPieces(bytes: Buffer, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const length = sizes[i % sizes.length] ?? 1;
    // The caller may reuse the buffer once `write` has resolved.
    const piece = Buffer.from(bytes.subarray(at, at + length));
    yield piece;
    piece.fill(0);
    at += length;
  }
}

test("an object has the bytes of its pieces, whatever their sizes", async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.nat(5000),
      fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 5 }),
      fc.integer({ min: 500, max: 1500 }),
      fc.integer({ min: 1, max: 6 }),
      fc.boolean(),
      async (size, sizes, partBytes, parallel, parallelParts) => {
        const store = new WatchedStore({ parallelParts });
        const bytes = randomBytes(size);
        const facts = { sha256: () => sha256(bytes), partBytes, parallel };
        t.is(await uploadStream(store, "k", inPieces(bytes, sizes), facts), size);
        t.deepEqual(await readAll(store, "k"), bytes);
        const parts = size <= partBytes ? 0 : Math.ceil(size / partBytes);
        t.deepEqual(
          store.order.toSorted((a, b) => a - b),
          Array.from({ length: parts }, (_, i) => i),
        );
        t.true(store.most <= (parallelParts ? parallel : 1));
        if (!parallelParts)
          t.deepEqual(
            store.order,
            store.order.toSorted((a, b) => a - b),
          );
      },
    ),
    { numRuns: 60 },
  );
});

test("memory is limited to the parts in flight and one more, whatever the size of the object", async (t) => {
  const store = new WatchedStore();
  const writer = new PartWriter(store, "k", { partBytes: 10_000, parallel: 3 });
  for (let i = 0; i < 200; i++) await writer.write(randomBytes(5001));
  await writer.finish({ sha256: "" });
  t.is(store.order.length, 101);
  t.true(store.most > 1);
  t.true(store.memory.size <= 4, `${store.memory.size} buffers`);
});

test("parts are larger if the maximum number would not hold the object", async (t) => {
  const store = new WatchedStore({ maxParts: 3, minPartBytes: 100 });
  const bytes = randomBytes(2 << 20);
  const options = { sha256: () => sha256(bytes), partBytes: 10, expectedBytes: bytes.length };
  await uploadStream(store, "k", inPieces(bytes, [100_000]), options);
  t.is(store.order.length, 2);
  t.true((await readAll(store, "k")).equals(bytes));

  const { expectedBytes: _, ...unexpected } = options;
  const error = await refused(t, "STORE_FAILED", () =>
    uploadStream(store, "j", inPieces(bytes, [100_000]), unexpected),
  );
  t.regex(error.message, /j: more than 3 parts of 100 bytes/);
  t.is(await store.abortStaleUploads("", TOMORROW), 0);
  const small = new WatchedStore({ maxParts: 3, maxPartBytes: 1000 });
  await refused(t, "STORE_FAILED", async () => new PartWriter(small, "k", { expectedBytes: 3001 }));
});

test("an upload to S3 that fails in the middle ends at once and leaves nothing", async (t) => {
  const bucket = await newBucket();
  const proxy = await FaultyProxy.start(radosgw().endpoint, ({ url }) =>
    url.includes("partNumber=4") ? { kind: "status", status: 403 } : undefined,
  );
  const store = new MeteredStore(new S3Store(s3Config(bucket, { endpoint: proxy.url })));
  const bytes = Buffer.alloc(5 << 20, 1);
  const writer = new PartWriter(store, "k");
  const error = await refused(t, "STORE_CREDENTIALS", async () => {
    for (let i = 0; i < 50; i++) await writer.write(bytes);
  });
  t.is(await t.throwsAsync(writer.write(bytes)), error);
  t.is(await t.throwsAsync(writer.finish({ sha256: "" })), error);
  await writer.abort();
  t.true((store.counts.part?.calls ?? 99) < 12);
  t.is(await store.abortStaleUploads("", TOMORROW), 0);
  t.deepEqual((await store.list("")).objects, []);
  await store.close();
  await proxy.close();
});

test("a signal ends an upload to S3 and leaves nothing", async (t) => {
  const store = new S3Store(s3Config(await newBucket()));
  const controller = new AbortController();
  const endless = async function* () {
    for (let i = 0; ; i++) {
      if (i === 30) controller.abort();
      yield Buffer.alloc(1 << 20, i);
    }
  };
  const options = { sha256: () => "", signal: controller.signal };
  await t.throwsAsync(uploadStream(store, "k", endless(), options), {
    instanceOf: InterruptedError,
  });
  t.deepEqual((await store.list("")).objects, []);
  t.is(await store.abortStaleUploads("", TOMORROW), 0);
  await store.close();
});

test("an upload to S3 sends as many concurrent parts as configured", async (t) => {
  const proxy = await FaultyProxy.start(radosgw().endpoint);
  proxy.plan = ({ method }) => (method === "PUT" ? { kind: "slow", ms: 2000 } : undefined);
  const store = new S3Store(s3Config(await newBucket(), { endpoint: proxy.url }));
  const bytes = randomBytes((45 << 20) + 1);
  const options = { sha256: () => sha256(bytes), parallel: 4 };
  await uploadStream(store, "k", inPieces(bytes, [1 << 20]), options);
  t.is(proxy.most, 4);
  t.true((await readAll(store, "k")).equals(bytes));
  await store.close();
  await proxy.close();
});
