import { createHash, randomBytes } from "node:crypto";
import { setMaxListeners } from "node:events";
import { CreateMultipartUploadCommand, ListMultipartUploadsCommand } from "@aws-sdk/client-s3";
import test, { type ExecutionContext } from "ava";
import { encodeManifest } from "../../src/archive/manifest/manifest.js";
import { copyStore } from "../../src/replication/copy/store.js";
import { deleteSnapshot, checkNotNeeded } from "../../src/snapshots/delete.js";
import { pruneIncomplete } from "../../src/snapshots/prune.js";
import { parseSnapshotName } from "../../src/snapshots/name.js";
import { findSnapshot, listSnapshots, newestName } from "../../src/snapshots/catalog.js";
import { CachedCatalog } from "../../src/snapshots/cached-catalog.js";
import { listStreams } from "../../src/snapshots/streams/list-streams.js";
import type { SnapStore } from "../../src/snapstore/store.js";
import { EveryStore } from "../support/stores/every-store.js";
import { plainClient } from "../support/stores/s3-buckets.js";
import {
  deltasFrom,
  idOf,
  nameOf as streamNameOf,
  putBase,
  putDeltas,
} from "../support/stores/stored-streams.js";
import { radosgwToken } from "../support/stores/swift-auth.js";

const { signal } = new AbortController();
// Shared by all tests.
setMaxListeners(0, signal);
const everyStore = await EveryStore.start();
test.after.always(() => everyStore.stop());

const FULL = "Full-00000000-00000007-1000000000";
const DEAD = "Full-00000000-00000009-1000000001";
const OTHERS = "Full-00000000-00009002-1565021494";
const OTHERS_DELTA = "Incr-00009003-00009040-1565021794";

async function putSnapshot(store: SnapStore, name: string, finished = true): Promise<void> {
  const files = await Promise.all(
    ["ARCHIVE00000.bin", "INDEX.bin", "METADATA.bin"].map(async (file) => {
      const bytes = randomBytes(1000);
      await store.put(`${name}/${file}`, bytes);
      const sha256 = createHash("sha256").update(bytes).digest("hex");
      return { name: file, size: bytes.length, sha256 };
    }),
  );
  if (!finished) return;
  const at = new Date((parseSnapshotName(name)?.time ?? 0) * 1000).toISOString();
  const id = randomBytes(16).toString("hex");
  const facts = { format: 1, id, kind: "full", base: null, startedAt: at, finishedAt: at } as const;
  await store.put(`${name}/MANIFEST.json`, Buffer.from(encodeManifest({ ...facts, files })));
}

/** Without a grace period: removes everything unfinished. */
async function prune(store: SnapStore) {
  const removed: string[] = [];
  const foreign: string[] = [];
  const aborted = await pruneIncomplete(store, {
    olderThan: new Date(Date.now() + 3_600_000),
    dryRun: false,
    signal,
    onRemoved: ({ text }) => removed.push(text),
    onKept: () => {},
    onProtected: (_, { message }) => foreign.push(message),
  });
  return { removed, foreign, aborted };
}

async function keys(store: SnapStore): Promise<string[]> {
  return (await store.list("")).objects.map(({ key }) => key).sort();
}

/** Files of another tool in a folder with the name of a snapshot: it is not a snapshot, and is kept. */
async function staysAlone(t: ExecutionContext, store: SnapStore, before: readonly string[]) {
  await putSnapshot(store, FULL);
  await putSnapshot(store, DEAD, false);
  const listed = await listSnapshots(store, signal);
  t.deepEqual(
    listed.map(({ name, state, problem }) => [name.text, state, problem]),
    [
      [FULL, "complete", undefined],
      [DEAD, "unfinished", undefined],
    ],
  );
  t.is((await findSnapshot(store, "latest", signal)).name.text, FULL);
  t.is((await newestName(store, signal))?.text, DEAD);
  for (const name of [OTHERS, OTHERS_DELTA]) {
    await t.throwsAsync(findSnapshot(store, name, signal), { code: "NO_SNAPSHOT" });
    await t.throwsAsync(deleteSnapshot(store, name, { dryRun: false, signal }), {
      code: "FOREIGN_FILE",
    });
  }
  t.deepEqual(await prune(store), { removed: [DEAD], foreign: [], aborted: 0 });
  // An unfinished incremental of another tool needs no base of this one.
  checkNotNeeded(await findSnapshot(store, FULL, signal), await listSnapshots(store, signal));
  await deleteSnapshot(store, FULL, { dryRun: false, signal });
  t.deepEqual(await keys(store), [...before].sort());
  t.is(await newestName(store, signal), undefined);
}

test("Swift snapshots of etcd-backup-restore are ignored, and their segments never deleted", async (t) => {
  const { store, container } = await everyStore.swift();
  const { token, storageUrl } = await radosgwToken();
  const call = (method: string, name: string, init: RequestInit = {}) =>
    fetch(`${storageUrl}/${container}/p/v2/${name}`, {
      ...init,
      method,
      headers: { ...init.headers, "X-Auth-Token": token },
    });
  const segments = [randomBytes(2000), randomBytes(500)];
  for (const [i, body] of segments.entries()) {
    await call("PUT", `${OTHERS}/${String(i + 1).padStart(10, "0")}`, { body });
  }
  await call("PUT", OTHERS, { headers: { "X-Object-Manifest": `${container}/p/v2/${OTHERS}` } });
  // An object that is being uploaded does not exist yet.
  await call("PUT", `${OTHERS_DELTA}/0000000001`, { body: randomBytes(100) });
  const whole = async () => Buffer.from(await (await call("GET", OTHERS)).arrayBuffer());
  t.true((await whole()).equals(Buffer.concat(segments)));
  await staysAlone(t, store, [
    OTHERS,
    ...[1, 2].map((i) => `${OTHERS}/000000000${i}`),
    `${OTHERS_DELTA}/0000000001`,
  ]);
  t.true((await whole()).equals(Buffer.concat(segments)));
});

for (const provider of ["Local", "S3", "Swift", "ABS", "Rclone"]) {
  test(`folders of other tools with snapshot names are ignored and kept (${provider})`, async (t) => {
    const store = (await everyStore.all())[provider] as SnapStore;
    const before = [`${OTHERS}/0000000001`, `${OTHERS}/deep/er`, `${OTHERS_DELTA}/0000000001`];
    for (const key of before) await store.put(key, randomBytes(100));
    await staysAlone(t, store, before);
  });

  test(`a snapshot with a file of another program is reported, and neither deleted nor pruned (${provider})`, async (t) => {
    const store = (await everyStore.all())[provider] as SnapStore;
    await putSnapshot(store, FULL);
    await putSnapshot(store, DEAD, false);
    const foreign = [`${FULL}/notes.txt`, `${DEAD}/0000000001`, `${DEAD}/INDEX.bin.d/x`];
    for (const key of foreign) await store.put(key, randomBytes(100));
    const before = await keys(store);
    const listed = await listSnapshots(store, signal);
    t.deepEqual(
      listed.map(({ name, state }) => [name.text, state]),
      [
        [FULL, "complete"],
        [DEAD, "unfinished"],
      ],
    );
    t.true(listed[0]?.problem?.startsWith(`${FULL}/notes.txt belongs to another program`));
    t.true(listed[1]?.problem?.startsWith(`${DEAD}/0000000001 belongs to another program`));
    t.is((await findSnapshot(store, "latest", signal)).name.text, FULL);
    for (const name of [FULL, DEAD]) {
      const refused = deleteSnapshot(store, name, { dryRun: false, signal });
      await t.throwsAsync(refused, { code: "FOREIGN_FILE", message: new RegExp(`${name}/`) });
    }
    const pruned = await prune(store);
    t.deepEqual(pruned.removed, []);
    t.regex(pruned.foreign.join(), new RegExp(`^${DEAD}/0000000001 in .* is not a file of`));
    t.deepEqual(await keys(store), before);
    for (const key of foreign) await store.delete(key);
    t.deepEqual((await prune(store)).removed, [DEAD]);
    await deleteSnapshot(store, FULL, { dryRun: false, signal });
    t.deepEqual(await keys(store), []);
  });
}

for (const provider of ["Local", "S3", "Swift", "ABS", "Rclone"]) {
  test(`streams of deltas are listed apart from snapshots, and removed as a whole (${provider})`, async (t) => {
    const store = (await everyStore.all())[provider] as SnapStore;
    await putSnapshot(store, FULL);
    const [one, two] = [streamNameOf(8, 1_000_000_000), streamNameOf(10, 1_000_000_100, 2)];
    await putDeltas(store, one, deltasFrom(8, [2, 1]));
    await putBase(store, two, idOf(2));
    await putDeltas(store, two, deltasFrom(10, [1, 1, 4]));
    const { snapshots, streams } = await new CachedCatalog(store).listAll(signal);
    t.deepEqual(
      snapshots.map(({ name }) => name.text),
      [FULL],
    );
    t.deepEqual(
      streams.map(({ name, base, runs, problem }) => [name.text, base?.state, runs, problem]),
      [
        [one, undefined, [{ at: 0, count: 2, first: 8, last: 10 }], undefined],
        [two, "complete", [{ at: 0, count: 3, first: 10, last: 15 }], undefined],
      ],
    );
    t.is((await findSnapshot(store, "latest", signal)).name.text, FULL);
    t.is((await newestName(store, signal))?.text, FULL);
    t.deepEqual((await prune(store)).removed, []);
    t.deepEqual(
      (await listStreams(store, signal)).map(({ left }) => left.files),
      [2, 7],
    );
    await store.put(`${two}/notes.txt`, randomBytes(3));
    const refused = deleteSnapshot(store, two, { dryRun: false, signal });
    await t.throwsAsync(refused, { code: "FOREIGN_FILE" });
    await store.delete(`${two}/notes.txt`);
    for (const stream of [one, two]) await deleteSnapshot(store, stream, { dryRun: false, signal });
    t.true((await keys(store)).every((key) => key.startsWith(FULL)));
  });
}

for (const provider of ["S3", "Swift", "ABS"]) {
  test(`a snapshot beside an object with its name is reported, and neither deleted nor pruned (${provider})`, async (t) => {
    const store = (await everyStore.all())[provider] as SnapStore;
    await putSnapshot(store, FULL);
    await putSnapshot(store, DEAD, false);
    for (const name of [FULL, DEAD]) await store.put(name, Buffer.from("another's"));
    const before = await keys(store);
    for (const { name, foreign } of await listSnapshots(store, signal)) t.is(foreign, name.text);
    t.is((await findSnapshot(store, FULL, signal)).foreign, FULL);
    await t.throwsAsync(deleteSnapshot(store, FULL, { dryRun: false, signal }), {
      code: "FOREIGN_FILE",
    });
    t.is((await prune(store)).foreign.length, 1);
    t.deepEqual(await keys(store), before);
  });
}

test("folder markers of Azure and of tools for Swift do not count as objects", async (t) => {
  const { store: abs, client } = await everyStore.abs();
  const mark = client.getBlockBlobClient(`p/v2/${FULL}`);
  await mark.upload("", 0, { metadata: { hdi_isfolder: "true" } });
  const { store: swift, container } = await everyStore.swift();
  const { token, storageUrl } = await radosgwToken();
  const headers = { "X-Auth-Token": token, "Content-Type": "application/directory" };
  await fetch(`${storageUrl}/${container}/p/v2/${FULL}`, { method: "PUT", headers, body: "" });
  for (const store of [abs, swift]) {
    await putSnapshot(store, FULL);
    t.is(await store.head(FULL), undefined);
    t.deepEqual(
      await keys(store),
      ["ARCHIVE00000.bin", "INDEX.bin", "MANIFEST.json", "METADATA.bin"].map(
        (file) => `${FULL}/${file}`,
      ),
    );
    const [found] = await listSnapshots(store, signal);
    t.is(found?.problem, undefined);
    await deleteSnapshot(store, FULL, { dryRun: false, signal });
    t.deepEqual(await keys(store), []);
  }
});

test("pruning S3 only aborts uploads of snapshots of this store", async (t) => {
  const { store, bucket } = await everyStore.s3("p");
  const client = plainClient();
  t.teardown(() => client.destroy());
  const own = `p/${FULL}/ARCHIVE00000.bin`;
  const others = [
    "p/dump.tar",
    `p/${OTHERS}`,
    `p/${OTHERS}/0000000001`,
    `p/${FULL}/notes.txt`,
    // A store below this one, which may be in use.
    `p/x/${FULL}/ARCHIVE00000.bin`,
    `q/${FULL}/ARCHIVE00000.bin`,
  ];
  for (const Key of [own, ...others]) {
    await client.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key }));
  }
  t.is((await prune(store)).aborted, 1);
  const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }));
  t.deepEqual(Uploads.map(({ Key }) => Key).sort(), [...others].sort());
});

for (const provider of ["Local", "Swift", "ABS"]) {
  test(`pruning a store keeps the uploads of a store below it (${provider})`, async (t) => {
    const store = (await everyStore.all())[provider] as SnapStore;
    const begin = async (key: string) => {
      const upload = await store.startUpload(key, { partBytes: 1 << 20 });
      await upload.part(0, Buffer.alloc(1 << 20));
      return upload;
    };
    const dead = await begin(`${FULL}/INDEX.bin`);
    const below = await begin(`x/${FULL}/INDEX.bin`);
    t.is((await prune(store)).aborted, 1);
    await dead.abort();
    await below.complete({ parts: 1, size: 1 << 20, sha256: "0".repeat(64) });
    t.deepEqual(await keys(store), [`x/${FULL}/INDEX.bin`]);
    const pieces: Uint8Array[] = [];
    for await (const piece of store.get(`x/${FULL}/INDEX.bin`)) pieces.push(piece);
    t.is(Buffer.concat(pieces).length, 1 << 20);
  });
}

test("copy does not write into folders of another tool, and does not count them as snapshots", async (t) => {
  for (const provider of ["Local", "Swift"]) {
    const [from, to] = await Promise.all([everyStore.all(), everyStore.all()]);
    const [source, target] = [from[provider] as SnapStore, to[provider] as SnapStore];
    await putSnapshot(source, FULL);
    await putSnapshot(source, OTHERS);
    await source.put(`${OTHERS_DELTA}/0000000001`, randomBytes(10));
    await target.put(`${OTHERS}/0000000001`, randomBytes(10));
    const failed: string[] = [];
    const copied: string[] = [];
    const settings = {
      limits: {},
      maxParallelCopies: 2,
      minChunkBytes: 5 << 20,
      maxParallelChunks: 2,
      retries: { maxRetries: 1, backoffMs: 1 },
      signal,
    };
    await copyStore(source, target, settings, {
      onProgress: () => {},
      onCopied: (snapshot) => copied.push(snapshot),
      onFailed: (snapshot, { code }) => failed.push(`${snapshot} ${code}`),
    });
    t.deepEqual(failed, [`${OTHERS} FOREIGN_FILE`]);
    t.deepEqual(copied, [FULL]);
    t.deepEqual(
      (await target.list(`${OTHERS}/`)).objects.map(({ key }) => key),
      [`${OTHERS}/0000000001`],
    );
  }
});
