import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { changesDigest } from "../../../../src/archive/delta/changes-digest.js";
import { revisionsIn } from "../../../../src/sources/etcd/file/revisions-in.js";
import type { EtcdRevision } from "../../../../src/sources/etcd/history.js";
import { RevisionWatch } from "../../../../src/sources/etcd/watch/revision-watch.js";
import { newFolder } from "../../../support/folders.js";
import { EtcdServer } from "../../../support/servers/etcd-server.js";
import { CollectedLog } from "../../../support/watch/collected-log.js";
import {
  databaseHistory,
  readDatabase,
  watchedHistory,
} from "../../../support/watch/database-history.js";
import { RandomWrites } from "../../../support/watch/random-writes.js";

async function ownEtcd(t: ExecutionContext): Promise<EtcdServer> {
  const etcd = await EtcdServer.start();
  t.teardown(() => etcd.stop());
  return etcd;
}

async function watch(
  t: ExecutionContext,
  etcd: EtcdServer,
  options: Partial<Parameters<typeof CollectedLog.start>[1]> = {},
): Promise<CollectedLog> {
  const login = { endpoints: [etcd.endpoint], timeoutMs: 10_000 };
  const log = await CollectedLog.start(login, { after: 1, ...options });
  t.teardown(() => log.stop());
  return log;
}

function writes(t: ExecutionContext, etcd: EtcdServer): RandomWrites {
  const random = new RandomWrites([etcd.endpoint], t.title);
  t.teardown(() => random.close());
  return random;
}

function isConsecutive(revisions: readonly EtcdRevision[], first: number): boolean {
  return revisions.every(({ revision }, i) => revision === first + i);
}

/** The log is exactly the history in the database of etcd, from revision `first` on. */
async function isWhole(t: ExecutionContext, log: CollectedLog, etcd: EtcdServer, first = 2) {
  await log.until(await etcd.revision());
  t.true(isConsecutive(log.revisions, first));
  const stored = await databaseHistory(etcd.endpoint);
  for (const revision of stored.keys()) if (revision < first) stored.delete(revision);
  t.deepEqual(watchedHistory(log.revisions), stored);
}

test("a watch has every change, of before it began and of after", async (t) => {
  const etcd = await ownEtcd(t);
  const random = writes(t, etcd);
  await random.make(300);
  const log = await watch(t, etcd);
  await random.make(300);
  await isWhole(t, log, etcd);
  const named = log.revisions.flatMap(({ leases }) => leases);
  t.true(named.length > 3);
  t.is(new Set(named.map(({ id }) => id)).size, named.length);
  for (const { id, grantedTtl } of named) {
    const { grantedTTL } = await etcd.client.leaseClient.leaseTimeToLive({ ID: `${id}` });
    // Those that were revoked since then have none.
    if (grantedTTL !== "0") t.is(`${grantedTtl}`, grantedTTL);
  }
  const seen = log.revisions.map(({ seenMs }) => seenMs);
  t.deepEqual(seen, seen.toSorted());
  t.is(await log.watch.currentRevision(new AbortController().signal), log.watch.covered);
});

test("a consumer that is slow holds etcd back, and loses nothing", async (t) => {
  const etcd = await ownEtcd(t);
  const log = await watch(t, etcd, { limits: { checkMs: 100, stuckMs: 1000 } });
  let batches = 0;
  log.onBatch = async () => {
    // Longer than a watch that does not move may take.
    if (++batches === 2) await new Promise((resolve) => setTimeout(resolve, 2500));
  };
  const random = writes(t, etcd);
  await random.make(2);
  const value = Buffer.alloc(1_000_000, "value");
  for (let i = 0; i < 60; i++) await etcd.put(Buffer.from(`large ${i % 5}`), value);
  await random.make(1500);
  await isWhole(t, log, etcd);
  t.deepEqual(log.problems, []);
});

test("kill -9 of etcd while keys are written, again and again, leaves the log whole", async (t) => {
  const etcd = await ownEtcd(t);
  const log = await watch(t, etcd);
  const random = writes(t, etcd);
  for (let round = 0; round < 3; round++) {
    const writing = random.make(150);
    await log.until(log.watch.covered + 40);
    await etcd.stop();
    await etcd.start();
    await writing;
  }
  await isWhole(t, log, etcd);
  t.true(log.problems.length > 0);
});

test("a watch goes on where another one stopped, and proves that the history is the same", async (t) => {
  const etcd = await ownEtcd(t);
  const random = writes(t, etcd);
  await random.make(50);
  const first = await watch(t, etcd);
  await first.until(await etcd.revision());
  await first.stop();
  await random.make(50);
  const last = first.revisions.at(-1);
  if (last === undefined) return t.fail();
  const overlap = { digest: changesDigest(last.changes), digestOf: changesDigest };
  const { clusterId } = first.watch;
  const second = await watch(t, etcd, { after: last.revision, overlap, clusterId });
  await second.until(await etcd.revision());
  t.true(second.watch.overlapProven);
  const both = [...first.revisions, ...second.revisions];
  t.true(isConsecutive(both, 2));
  t.deepEqual(watchedHistory(both), await databaseHistory(etcd.endpoint));
  const digest = changesDigest([]);
  const other = await watch(t, etcd, { after: last.revision, overlap: { ...overlap, digest } });
  t.like(await other.end(), { reason: "restored" });
  t.deepEqual(other.revisions, []);
});

test("etcd restored to the past and gone beyond the log is noticed, while the watch runs and after it", async (t) => {
  const etcd = await ownEtcd(t);
  const random = writes(t, etcd);
  await random.make(30);
  const saved = join(newFolder(), "snapshot");
  await etcd.ctl("snapshot", "save", saved);
  const log = await watch(t, etcd);
  await etcd.ctl("put", "key", "of the first history");
  await log.until(await etcd.revision());
  const { covered } = log.watch;
  await etcd.restoreFrom(saved);
  for (let i = 0; i < 5; i++) await etcd.ctl("put", "key", `of the second ${i}`);
  t.true((await etcd.revision()) > covered);
  t.like(await log.end(), { code: "WATCH_ENDED", reason: "restored" });
  t.is(log.watch.covered, covered);
  const last = log.revisions.at(-1)?.changes ?? [];
  const overlap = { digest: changesDigest(last), digestOf: changesDigest };
  const later = await watch(t, etcd, { after: covered, overlap });
  t.like(await later.end(), { reason: "restored" });
  t.deepEqual(later.revisions, []);
});

test("etcd restored to the past, or as another cluster, cannot continue a log", async (t) => {
  const etcd = await ownEtcd(t);
  const saved = join(newFolder(), "snapshot");
  await etcd.ctl("put", "key", "value");
  await etcd.ctl("snapshot", "save", saved);
  const log = await watch(t, etcd);
  const { clusterId } = log.watch;
  for (let i = 0; i < 5; i++) await etcd.ctl("put", "key", `${i}`);
  const after = await etcd.revision();
  await log.until(after);
  await etcd.restoreFrom(saved);
  t.like(await log.end(), { reason: "restored" });
  await t.throwsAsync(watch(t, etcd, { after }), {
    code: "WATCH_ENDED",
    message: /its revision is 2, after 7/,
  });
  await etcd.restoreFrom(saved, "another");
  await t.throwsAsync(watch(t, etcd, { after: 2, clusterId }), {
    code: "WATCH_ENDED",
    message: /it is cluster/,
  });
});

test("a compaction that overtakes the watch ends it", async (t) => {
  const etcd = await ownEtcd(t);
  const log = await watch(t, etcd);
  await etcd.ctl("put", "key", "0");
  await log.until(2);
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  log.onBatch = () => held;
  const value = "x".repeat(100_000);
  for (let i = 0; i < 40; i++) await etcd.putMany([[`key ${i % 3}`, value]]);
  const early = await watch(t, etcd, { after: 10 });
  await early.until(20);
  await etcd.ctl("compaction", "30");
  t.like(await (await watch(t, etcd, { after: 10 })).end(), {
    reason: "compacted",
    compactRevision: 30,
  });
  t.is(await log.watch.compactRevision(new AbortController().signal), 30);
  // What was on its way came live: it is whole, as is what etcd sends afterwards, or nothing more comes.
  release();
  await Promise.race([log.until(42), log.ended]);
  t.true(isConsecutive(log.revisions, 2));
  if (log.watch.covered < 42) t.like(await log.end(), { reason: "compacted" });
});

test("a revision of which a compaction may have left a part only is not taken", async (t) => {
  const etcd = await ownEtcd(t);
  await etcd.ctl("put", "a", "1");
  await etcd.ctl("put", "b", "1");
  const success = [
    { request_put: { key: Buffer.from("c"), value: Buffer.from("2") } },
    { request_delete_range: { key: Buffer.from("a") } },
  ];
  await etcd.client.kv.txn({ success });
  await etcd.ctl("put", "d", "3");
  const whole = await watch(t, etcd);
  await whole.until(5);
  t.is(whole.revisions[2]?.changes.length, 2);
  await etcd.ctl("compaction", "4", "--physical");
  const log = await watch(t, etcd, { after: 3 });
  t.like(await log.end(), { reason: "compacted", compactRevision: 4 });
  t.deepEqual(log.revisions, []);
  // The revision before, and its digest, are not needed of a revision that is whole.
  const next = await watch(t, etcd, { after: 4 });
  await next.until(5);
});

test("a log goes on after a compaction of its last revision, in the same process", async (t) => {
  const etcd = await ownEtcd(t);
  const log = await watch(t, etcd);
  await etcd.ctl("put", "a", "1");
  const success = [
    { request_put: { key: Buffer.from("b"), value: Buffer.from("2") } },
    { request_delete_range: { key: Buffer.from("a") } },
  ];
  await etcd.client.kv.txn({ success });
  await log.until(3);
  await etcd.ctl("compaction", "3", "--physical");
  await etcd.stop();
  await etcd.start();
  await etcd.ctl("put", "a", "3");
  await log.until(4);
  await etcd.ctl("del", "a");
  await log.until(5);
  await etcd.ctl("compaction", "5", "--physical");
  await etcd.stop();
  await etcd.start();
  await etcd.ctl("put", "a", "4");
  await log.until(6);
  t.true(isConsecutive(log.revisions, 2));
});

test("too many missing revisions are no work for a watch, and come out of a database as a watch has them", async (t) => {
  const etcd = await ownEtcd(t);
  const whole = await watch(t, etcd);
  const random = writes(t, etcd);
  await random.make(200);
  await whole.until(await etcd.revision());
  const after = 20;
  const log = await watch(t, etcd, { after, limits: { farBehind: 20 } });
  t.like(await log.end(), { reason: "far-behind" });
  const database = await readDatabase(etcd.endpoint);
  const { signal } = new AbortController();
  const cut: EtcdRevision[] = [];
  for await (const batch of revisionsIn(database, { after, seenMs: 5, signal })) cut.push(...batch);
  const seen = whole.revisions.slice(after - 1);
  const changes = (all: readonly EtcdRevision[]) =>
    all.map(({ revision, changes }) => ({
      revision,
      changes: changes.map(({ deleted, kv }) => ({ deleted, kv: Buffer.from(kv) })),
    }));
  t.deepEqual(changes(cut), changes(seen));
  t.true(cut.every(({ seenMs }) => seenMs === 5));
  const named = cut.flatMap(({ leases }) => leases);
  t.true(named.length > 0);
  const known = new Map(whole.revisions.flatMap(({ leases }) => leases).map((l) => [l.id, l]));
  for (const lease of named) t.deepEqual(lease, known.get(lease.id));
  await etcd.ctl("compaction", `${after + 1}`);
  const compacted = await readDatabase(etcd.endpoint);
  const read = async (): Promise<void> => {
    for await (const _ of revisionsIn(compacted, { after, seenMs: 5, signal })) t.fail();
  };
  await t.throwsAsync(read(), {
    code: "ETCD_FILE_DAMAGED",
    message: /revision 21: it is compacted/,
  });
});

test("only a user who may read all keys can watch, and a token that etcd lost is replaced", async (t) => {
  // etcdctl logs in also where etcd needs no login yet.
  const etcd = await EtcdServer.start([], ["--user=root:secret"]);
  t.teardown(() => etcd.stop());
  for (const command of [
    "role add some",
    "role grant-permission some read --prefix=true a",
    "role add all",
    "role grant-permission all read --prefix=true \0",
    "user add root:secret",
    "user grant-role root root",
    "user add restricted:secret",
    "user grant-role restricted some",
    "user add reader:secret",
    "user grant-role reader all",
    "auth enable",
  ]) {
    await etcd.ctl(...command.split(" ").map((word) => (word === "\0" ? "" : word)));
  }
  const login = (user: string) => ({ endpoints: [etcd.endpoint], user, password: "secret" });
  const { signal } = new AbortController();
  await t.throwsAsync(RevisionWatch.open(login("restricted"), { after: 1 }, signal), {
    code: "ETCD_AUTH",
  });
  const log = await CollectedLog.start(login("reader"), { after: 1 });
  t.teardown(() => log.stop());
  await etcd.ctl("put", "key", "1");
  await log.until(2);
  await etcd.stop();
  await etcd.start();
  await etcd.ctl("put", "key", "2");
  await log.until(3);
  await etcd.ctl("role", "revoke-permission", "all", "--prefix=true", "");
  await etcd.stop();
  await etcd.start();
  t.like(await log.end(), { reason: "denied" });
});

test("a consumer's error, and an interruption, end the watch at once", async (t) => {
  const etcd = await ownEtcd(t);
  const log = await watch(t, etcd);
  const full = new Error("disk full");
  log.onBatch = async () => {
    throw full;
  };
  await etcd.ctl("put", "key", "value");
  t.is(await log.ended, full);
  t.is(log.watch.covered, 1);
  const other = await watch(t, etcd);
  await other.stop();
  t.like(await other.ended, { code: "INTERRUPTED" });
});
