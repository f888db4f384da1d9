import { randomBytes } from "node:crypto";
import test from "ava";
import { FileThread } from "../../../src/threads/file-thread.js";
import { BackupToolError } from "../../../src/errors.js";
import { type CopySettings, copyStore } from "../../../src/replication/copy/store.js";
import { copyRetryPolicy } from "../../../src/replication/copy/retries.js";
import { listSnapshots } from "../../../src/snapshots/catalog.js";
import { verifySnapshot } from "../../../src/snapshots/verify.js";
import { LocalStore } from "../../../src/snapstore/local/store.js";
import { RetryingStore } from "../../../src/snapstore/layers/retrying.js";
import { S3Store } from "../../../src/snapstore/s3/store.js";
import { FAULT_KINDS, FaultyProxy, seededPlan } from "../../support/network/faulty-proxy.js";
import { newFolder } from "../../support/folders.js";
import { type ForgedSnapshot, forgeSnapshot } from "../../support/stores/forged-snapshots.js";
import { newBucket, s3Config } from "../../support/stores/s3-buckets.js";

const ROUNDS = Number(process.env["BACKUPTOOL_TEST_ROUNDS"] ?? 8);
const SEED = process.env["BACKUPTOOL_TEST_SEED"] ?? randomBytes(4).toString("hex");
const { signal } = new AbortController();
const SETTINGS: CopySettings = {
  limits: {},
  maxParallelCopies: 5,
  minChunkBytes: 5 << 20,
  maxParallelChunks: 3,
  signal,
  retries: { maxRetries: 3, backoffMs: 10 },
};

test(`copies over a faulty network complete, or report what is missing (seed ${SEED})`, async (t) => {
  const bucket = await newBucket();
  const folder = newFolder();
  const full = forgeSnapshot(folder, { time: 1000, last: 5, sizes: [100, 6 << 20, 2 << 20] });
  const made: ForgedSnapshot[] = [
    full,
    forgeSnapshot(folder, { time: 2000, first: 6, last: 7, base: full, sizes: [100, 50_000] }),
    forgeSnapshot(folder, { time: 3000, sizes: [10, 11 << 20] }),
  ];
  const source = new S3Store(s3Config(bucket, { prefix: "source" }));
  const quiet = { onProgress: () => {}, onCopied: () => {}, onFailed: () => {} };
  const local = new LocalStore({ provider: "Local", container: folder, prefix: "" });
  await copyStore(local, source, SETTINGS, quiet);
  const thread = new FileThread();
  let befallen = 0;
  let failures = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const seed = `${SEED} ${round}`;
    const plan = seededPlan(seed, 0.05 + 0.05 * (round % 4), [...FAULT_KINDS, "spoil-answer"]);
    const proxy = await FaultyProxy.start(s3Config(bucket).endpoint ?? "", plan);
    const through = (prefix: string) =>
      new RetryingStore(
        new S3Store(s3Config(bucket, { prefix, endpoint: proxy.url })),
        copyRetryPolicy(SETTINGS.retries),
      );
    const prefix = `target-${round}`;
    const missing: string[] = [];
    const [from, to] = [through("source"), through(prefix)];
    const failed = await copyStore(from, to, SETTINGS, {
      ...quiet,
      onFailed: (snapshot) => missing.push(snapshot),
    }).then(
      (totals) => totals.failed > 0,
      (error: unknown) => {
        t.true(error instanceof BackupToolError, `${seed}: ${error}`);
        return true;
      },
    );
    befallen += proxy.log.filter(({ fault }) => fault !== undefined).length;
    await Promise.all([from.close(), to.close()]);
    await proxy.close();
    // The result, without faults.
    const target = new S3Store(s3Config(bucket, { prefix }));
    const there = await listSnapshots(target, signal);
    t.deepEqual(
      there.filter(({ state }) => state === "damaged"),
      [],
      seed,
    );
    const complete = there.filter(({ state }) => state === "complete");
    for (const { name } of complete) {
      const { damaged } = await verifySnapshot(target, name.text, {
        selection: { kind: "all" },
        thread,
        signal,
        onProgress: () => {},
        onDamage: () => {},
      });
      t.is(damaged, 0, `${seed}: ${name.text}`);
    }
    if (failed) failures++;
    else t.is(complete.length, made.length, seed);
    // Without faults a second copy completes the rest.
    const totals = await copyStore(source, target, SETTINGS, quiet);
    t.is(totals.failed, 0, seed);
    t.is((await listSnapshots(target, signal)).length, made.length, seed);
    await target.close();
  }
  await Promise.all([thread.close(), source.close()]);
  t.true(befallen > ROUNDS);
  t.log(`${befallen} faults, ${failures} of ${ROUNDS} copies ended with a failure that was told`);
});
