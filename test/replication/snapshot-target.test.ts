import { randomBytes } from "node:crypto";
import { setMaxListeners } from "node:events";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { PutObjectRetentionCommand } from "@aws-sdk/client-s3";
import test from "ava";
import { FileThread } from "../../src/threads/file-thread.js";
import { archiveName } from "../../src/archive/format.js";
import { encodeManifest } from "../../src/archive/manifest/manifest.js";
import { SnapshotTarget } from "../../src/replication/snapshot-target.js";
import { SnapshotFiles } from "../../src/snapshots/snapshot-files.js";
import { LocalStore } from "../../src/snapstore/local/store.js";
import { MeteredStore } from "../../src/snapstore/layers/metered.js";
import { RecentFailure } from "../../src/snapstore/layers/recent-failure.js";
import { RetryingStore } from "../../src/snapstore/layers/retrying.js";
import { S3Store } from "../../src/snapstore/s3/store.js";
import type { SnapStore } from "../../src/snapstore/store.js";
import { EveryStore } from "../support/stores/every-store.js";
import { freePort } from "../support/servers/etcd-server.js";
import { type Fault, FaultyProxy } from "../support/network/faulty-proxy.js";
import { newFolder } from "../support/folders.js";
import { judgeStore } from "../support/stores/judge-store.js";
import { newBucket, plainClient, radosgw, s3Config } from "../support/stores/s3-buckets.js";
import { SwitchableStore } from "../support/stores/switchable-store.js";

const NAME = "Full-00000000-00000000-1000000000";
const { signal } = new AbortController();
// Shared by all tests.
setMaxListeners(0, signal);

const everyStore = await EveryStore.start();
test.after.always(() => everyStore.stop());

function localStore(): { store: SwitchableStore; folder: string } {
  const folder = newFolder();
  const local = new LocalStore({ provider: "Local", container: folder, prefix: "" });
  return { store: new SwitchableStore(local), folder };
}

const PARTS = { minChunkBytes: 5 << 20, maxParallelChunks: 2 };

/** Sends files of random bytes and their manifest, as a writer does. Returns why the secondary failed. */
async function send(
  primary: SnapStore,
  secondary: SnapStore | undefined,
  sizes: Readonly<Record<string, number>>,
  recentFailure = new RecentFailure(),
  beforeFinish: () => void = () => {},
  listingLateMs = 1000,
): Promise<string[]> {
  const failures: string[] = [];
  const thread = new FileThread();
  const target = new SnapshotTarget({
    snapshot: NAME,
    primary: { ...PARTS, store: primary },
    thread,
    expectedFileBytes: 1 << 30,
    signal,
    listingLateMs,
    secondary: secondary && { ...PARTS, store: new MeteredStore(secondary), recentFailure },
    onSecondaryFailed: (error) => failures.push(String(error)),
  });
  try {
    const files = [];
    const rest = { "INDEX.bin": 10, "METADATA.bin": 10 };
    for (const [name, size] of Object.entries({ ...sizes, ...rest, ...sizes })) {
      const output = await target.open(name);
      const memory = new SharedArrayBuffer(1 << 20);
      for (let left = size; left > 0; left -= memory.byteLength) {
        const length = Math.min(left, memory.byteLength);
        Buffer.from(memory).set(randomBytes(length));
        await output.append(memory, 0, length);
      }
      files.push({ name, ...(await output.finish()) });
    }
    const at = new Date().toISOString();
    const id = randomBytes(16).toString("hex");
    const facts = {
      format: 1,
      id,
      kind: "full",
      base: null,
      startedAt: at,
      finishedAt: at,
    } as const;
    beforeFinish();
    await target.finish(encodeManifest({ ...facts, files }));
  } finally {
    await target.close();
    await thread.close();
  }
  return failures;
}

const SMALL = { "ARCHIVE00000.bin": 6 << 20, "INDEX.bin": 1000, "METADATA.bin": 300 };
const WHOLE = { whole: [NAME], unfinished: [], lies: [] };

test("both stores receive the same files, and the manifests last", async (t) => {
  const [one, two] = [localStore(), localStore()];
  t.deepEqual(await send(one.store, two.store, SMALL), []);
  t.deepEqual(await judgeStore(one.store), WHOLE);
  for (const name of readdirSync(join(one.folder, NAME))) {
    const [here, there] = [one, two].map(({ folder }) => readFileSync(join(folder, NAME, name)));
    t.is(here?.compare(there ?? Buffer.alloc(0)), 0, name);
  }
  for (const { store } of [one, two]) t.regex(store.keysOf("put").at(-1) ?? "", /MANIFEST\.json$/);
});

test("existing files are not overwritten in either store", async (t) => {
  for (const file of [...Object.keys(SMALL), "MANIFEST.json"]) {
    const [one, two, taken] = [localStore(), localStore(), localStore()];
    for (const { folder } of [two, taken]) {
      mkdirSync(join(folder, NAME));
      writeFileSync(join(folder, NAME, file), "another's");
    }
    const failures = await send(one.store, two.store, SMALL);
    t.regex(failures.join(), new RegExp(`${NAME}/${file.replace(".", "\\.")}: exists already`));
    t.is(failures.length, 1);
    t.deepEqual(await judgeStore(one.store), WHOLE);
    await t.throwsAsync(send(taken.store, undefined, SMALL), { message: /exists already/ });
    for (const { folder } of [two, taken]) {
      t.is(readFileSync(join(folder, NAME, file), "utf8"), "another's");
    }
  }
});

test("nothing is written into a folder of another tool in the secondary, and the primary continues", async (t) => {
  for (const key of [`${NAME}/0000000001`, NAME]) {
    const one = localStore();
    const { store } = await everyStore.swift();
    await store.put(key, Buffer.from("another's"));
    const failures = await send(one.store, store, SMALL);
    t.is(failures.length, 1);
    t.true(failures[0]?.includes(`${key} in ${store.name} is not a file of backuptool`));
    t.deepEqual(await judgeStore(one.store), WHOLE);
    t.deepEqual(
      (await store.list("")).objects.map((object) => object.key),
      [key],
    );
  }
});

test("a backup fails if its store does not list it as it was written", async (t) => {
  const elsewhere = newFolder();
  const one = localStore();
  await t.throwsAsync(
    send(one.store, undefined, SMALL, undefined, () => {
      renameSync(join(one.folder, NAME), join(elsewhere, NAME));
      symlinkSync(join(elsewhere, NAME), join(one.folder, NAME));
    }),
    { code: "STORE_FAILED", message: /ARCHIVE00000\.bin was written, but the store does not list/ },
  );
  t.false(existsSync(join(elsewhere, NAME, "MANIFEST.json")));
  const two = localStore();
  await t.throwsAsync(
    send(two.store, undefined, SMALL, undefined, () =>
      appendFileSync(join(two.folder, NAME, "INDEX.bin"), "x"),
    ),
    { code: "STORE_FAILED", message: /INDEX\.bin was written, but/ },
  );
  // The folder is moved away as soon as the manifest exists.
  const three = localStore();
  const put = three.store.put.bind(three.store);
  three.store.put = async (key, ...rest) => {
    await put(key, ...rest);
    if (key.endsWith("MANIFEST.json")) {
      renameSync(join(three.folder, NAME), join(elsewhere, "moved"));
    }
  };
  await t.throwsAsync(send(three.store, undefined, SMALL), {
    code: "STORE_FAILED",
    message: new RegExp(`${NAME} was written, but`),
  });
});

test("a secondary that does not list a file is abandoned without a manifest", async (t) => {
  const [one, two] = [localStore(), localStore()];
  const failures = await send(one.store, two.store, SMALL, undefined, () => {
    const list = two.store.list.bind(two.store);
    two.store.list = async (...args) => {
      const page = await list(...args);
      return { ...page, objects: page.objects.filter(({ key }) => !key.endsWith("INDEX.bin")) };
    };
  });
  t.regex(failures.join(), /INDEX\.bin was written, but the store does not list it/);
  t.false(existsSync(join(two.folder, NAME, "MANIFEST.json")));
  t.deepEqual(await judgeStore(one.store), WHOLE);
});

test("create waits for a late listing", async (t) => {
  const one = localStore();
  const list = one.store.list.bind(one.store);
  let late = 2;
  one.store.list = async (...args) => {
    const page = await list(...args);
    return late-- > 0 ? { ...page, objects: [] } : page;
  };
  t.deepEqual(await send(one.store, undefined, SMALL, undefined, undefined, 60_000), []);
  t.true(late < 0);
  t.deepEqual(await judgeStore(one.store), WHOLE);
});

test("locked objects of S3 are not overwritten", async (t) => {
  const bucket = await newBucket({ objectLock: true });
  const store = new S3Store(s3Config(bucket));
  t.deepEqual(await send(store, undefined, SMALL), []);
  const before = await judgeStore(store);
  const client = plainClient();
  const RetainUntilDate = new Date(Date.now() + 60_000);
  for (const { key: Key } of (await store.list("")).objects) {
    const Retention = { Mode: "COMPLIANCE", RetainUntilDate } as const;
    await client.send(new PutObjectRetentionCommand({ Bucket: bucket, Key, Retention }));
  }
  client.destroy();
  await t.throwsAsync(send(store, undefined, SMALL), { message: /exists already/ });
  t.deepEqual(await judgeStore(store), before);
  await store.close();
});

test("a secondary that hangs is abandoned, with many files and with a large one", async (t) => {
  const many = Array.from({ length: 12 }, (_, i) => [archiveName(i), 6 << 20] as const);
  const long = { "ARCHIVE00000.bin": 90 << 20 };
  for (const sizes of [Object.fromEntries(many), long]) {
    const [one, two] = [localStore(), localStore()];
    let asked = 0;
    const held: (() => void)[] = [];
    two.store.before = async (call) => {
      if (call === "part" && asked++ > 0) await new Promise<void>((resolve) => held.push(resolve));
    };
    const failures = await send(one.store, two.store, sizes);
    t.regex(failures.join(), /too slow, and fell too far behind/);
    t.deepEqual(await judgeStore(one.store), WHOLE);
    t.false(existsSync(join(two.folder, NAME, "MANIFEST.json")));
    for (const release of held) release();
  }
});

const RETRIED: Readonly<Record<string, { fault?: Fault; last: RegExp }>> = {
  "refuses connections": { last: /ECONNREFUSED/ },
  "is unavailable": { fault: { kind: "status", status: 503 }, last: /503/ },
  "drops connections": { fault: { kind: "drop" }, last: /hang up|ECONNRESET/ },
  "does not respond": { fault: { kind: "hang" }, last: /no answer within 0.5 seconds/ },
};

for (const [what, { fault, last }] of Object.entries(RETRIED)) {
  const sizes = {
    "it fell behind": { "ARCHIVE00000.bin": 90 << 20 },
    "nothing else is left": SMALL,
  };
  for (const [when, files] of Object.entries(sizes)) {
    test(`a secondary that ${what} is abandoned once ${when}, with the last failure in the error`, async (t) => {
      const { store: primary } = localStore();
      const proxy = await FaultyProxy.start(radosgw().endpoint, () => fault);
      const refused = `http://127.0.0.1:${await freePort()}`;
      const endpoint = fault === undefined ? refused : proxy.url;
      const failure = new RecentFailure();
      const callMs = fault?.kind === "hang" ? 500 : 60_000;
      const secondary = new RetryingStore(new S3Store(s3Config(await newBucket(), { endpoint })), {
        attempts: 100,
        maxDelayMs: 500,
        callMs,
        onRetry: failure.note,
      });
      t.teardown(() => Promise.all([secondary.close(), proxy.close()]));
      const [told, ...more] = await send(primary, secondary, files, failure);
      t.deepEqual(more, []);
      t.regex(
        told ?? "",
        /too slow, and fell too far behind|still behind when the primary was complete/,
      );
      t.regex(told?.split("; last: ")[1] ?? "", last);
      t.is(told?.split("s3://").length, 2, told);
      t.deepEqual(await judgeStore(primary), WHOLE);
    });
  }
}

test("a secondary that cannot hold files of this size is abandoned, and the primary continues", async (t) => {
  const [one, two] = [localStore(), localStore()];
  Object.assign(two.store, { capabilities: { ...two.store.capabilities, maxPartBytes: 1000 } });
  Object.assign(two.store.capabilities, { maxParts: 10, minPartBytes: 1 });
  t.regex((await send(one.store, two.store, SMALL)).join(), /cannot hold/);
  t.deepEqual(await judgeStore(one.store), WHOLE);
});

test("wrong bytes in the secondary are found before its manifest is written", async (t) => {
  const [one, two] = [localStore(), localStore()];
  const seen = two.store.head.bind(two.store);
  two.store.head = async (key, ...more) => {
    const object = await seen(key, ...more);
    return key.endsWith("INDEX.bin") && object ? { ...object, size: object.size + 1 } : object;
  };
  t.regex(
    (await send(one.store, two.store, SMALL)).join(),
    /INDEX\.bin: after it was sent, it has/,
  );
  t.false(existsSync(join(two.folder, NAME, "MANIFEST.json")));
});

test("an object that is replaced while it is read is an error, not a mixture", async (t) => {
  const bucket = await newBucket();
  const store = new S3Store(s3Config(bucket));
  await send(store, undefined, { "ARCHIVE00000.bin": 30 << 20 });
  const file = await new SnapshotFiles(store, NAME, signal).open("ARCHIVE00000.bin");
  const target = Buffer.alloc(1 << 20);
  t.is(await file.read(target, 0), target.length);
  await store.put(`${NAME}/ARCHIVE00000.bin`, randomBytes(30 << 20));
  // Ranges that were requested before still arrive; later ones do not.
  await t.throwsAsync(
    async () => {
      for (let at = 0; at < file.size; at += target.length) await file.read(target, at);
    },
    { code: "STORE_TRANSIENT", message: /ARCHIVE00000\.bin: has changed/ },
  );
  await file.close();
  await store.close();
});
