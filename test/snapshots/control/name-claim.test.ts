import { randomBytes } from "node:crypto";
import { setMaxListeners } from "node:events";
import { PutBucketVersioningCommand } from "@aws-sdk/client-s3";
import test from "ava";
import { claimName, type NameClaim } from "../../../src/snapshots/control/name-claim.js";
import { snapshotName } from "../../../src/snapshots/name.js";
import { S3Store } from "../../../src/snapstore/s3/store.js";
import type { SnapStore } from "../../../src/snapstore/store.js";
import { EveryStore } from "../../support/stores/every-store.js";
import { newBucket, plainClient, s3Config } from "../../support/stores/s3-buckets.js";

const { signal } = new AbortController();
// Shared by all tests.
setMaxListeners(0, signal);
const TIME = 1_700_000_000;
const nameAt = (time: number) =>
  snapshotName({ kind: "full", firstRevision: 0, lastRevision: 7, time });

const everyStore = await EveryStore.start();
test.after.always(() => everyStore.stop());

function claim(store: SnapStore, time = TIME): Promise<NameClaim> {
  return claimName(store, { firstTime: async () => time, nameAt, signal });
}

async function versionedBucket(): Promise<SnapStore> {
  const Bucket = await newBucket();
  const client = plainClient();
  const VersioningConfiguration = { Status: "Enabled" } as const;
  await client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration }));
  client.destroy();
  return new S3Store(s3Config(Bucket));
}

for (const [provider, open] of Object.entries({
  Local: async () => everyStore.local(),
  S3: async () => (await everyStore.s3()).store,
  "S3 with versions": versionedBucket,
  Swift: async () => (await everyStore.swift()).store,
  ABS: async () => (await everyStore.abs()).store,
})) {
  test(`writers that want the same second get different names (${provider})`, async (t) => {
    const store = await open();
    const claims = await Promise.all(Array.from({ length: 4 }, () => claim(store)));
    const names = claims.map(({ name }) => name.text);
    t.is(new Set(names).size, names.length, names.join());
    for (const { name } of claims) t.true(name.time >= TIME);
    await Promise.all(claims.map((one) => one.remove()));
    t.deepEqual((await store.list("")).objects, []);
  });
}

test("a name is not claimed while another claim is there, or once it has a file or is an object", async (t) => {
  const store = everyStore.local();
  const first = await claim(store);
  t.is(first.name.time, TIME);
  t.true((await claim(store)).name.time > TIME);
  const { text } = nameAt(TIME + 100);
  await store.put(`${text}/${randomBytes(4).toString("hex")}`, Buffer.from("another's"));
  await store.put(nameAt(TIME + 101).text, Buffer.from("another's"));
  t.is((await claim(store, TIME + 100)).name.time, TIME + 102);
});

test("a claim of a run that failed stays, and the name is not used again", async (t) => {
  const store = everyStore.local();
  await claim(store);
  const next = await claim(store);
  t.true(next.name.time > TIME);
  await next.remove();
});
