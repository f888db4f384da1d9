import test from "ava";
import { S3Store } from "../../../src/snapstore/s3/store.js";
import { newBucket, s3Config } from "../../support/stores/s3-buckets.js";
import { readAll } from "../conformance.js";

// A separate file, which ava runs in its own process: the test changes the clock of the process.
test("a clock that is an hour off is corrected by the server's time", async (t) => {
  const bucket = await newBucket();
  const RealDate = Date;
  globalThis.Date = class extends RealDate {
    constructor(...args: unknown[]) {
      if (args.length === 0) super(RealDate.now() + 3_600_000);
      else super(...(args as [number]));
    }
    static override now(): number {
      return RealDate.now() + 3_600_000;
    }
  } as DateConstructor;
  t.teardown(() => {
    globalThis.Date = RealDate;
  });
  const store = new S3Store(s3Config(bucket));
  await store.put("k", Buffer.from("x"));
  t.is((await readAll(store, "k")).toString(), "x");
  const { clockAheadMs = 0 } = await store.describe();
  t.true(Math.abs(clockAheadMs + 3_600_000) < 60_000, `${clockAheadMs} ms`);
  await store.close();
});
