import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import test, { type ExecutionContext } from "ava";
import { compactHistory } from "../../../src/operations/history/compact.js";
import type { HistoryTarget } from "../../../src/operations/history/history-target.js";
import { writeEtcdSnapshot } from "../../../src/operations/history/write-snapshot.js";
import { dropPools, makePools, writeObjects } from "../../support/ceph/client.js";
import { compactOptions } from "../../support/history/compact-options.js";
import { newFolder } from "../../support/folders.js";
import { RecordedEtcd } from "../../support/history/recorded-etcd.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";

/** Seconds. */
const LEASE_TTL = 4;

async function startEtcd(t: ExecutionContext): Promise<EtcdServer> {
  const etcd = await EtcdServer.start();
  t.teardown(() => etcd.stop());
  return etcd;
}

function record(t: ExecutionContext, etcd: EtcdServer, seed: string, folder?: string) {
  const recorded = new RecordedEtcd(etcd, seed, folder);
  t.teardown(() => recorded.close());
  return recorded;
}

/** Starts an etcd on what a restore makes of a moment. */
async function startAt(
  { location, context }: RecordedEtcd,
  judge: EtcdServer,
  target: HistoryTarget,
) {
  const out = join(newFolder(), "etcd.db");
  const options = { location, target, out, unknownLeaseTtlSeconds: LEASE_TTL };
  await writeEtcdSnapshot(options, context);
  await judge.restoreFrom(out);
}

async function textsOf(etcd: EtcdServer, revision?: number) {
  const pairs = await etcd.pairs(revision);
  return pairs.map((pair) => pair.map((text) => Buffer.from(text, "base64").toString()).join("="));
}

test("users and roles are as of the raw snapshot, and keys as of the moment", async (t) => {
  const [etcd, judge] = [await startEtcd(t), await startEtcd(t)];
  const recorded = record(t, etcd, "users and roles");
  await etcd.ctl("role", "add", "reader");
  await etcd.ctl("role", "grant-permission", "reader", "read", "a");
  await etcd.ctlWith("", "user", "add", "alice:secret");
  await etcd.ctl("user", "grant-role", "alice", "reader");
  await etcd.ctl("put", "a", "1");
  await recorded.base();
  await etcd.ctlWith("", "user", "add", "bob:secret");
  await etcd.ctl("put", "a", "2");
  await recorded.flush({ compactRevision: 0 });
  await startAt(recorded, judge, { kind: "newest" });
  t.deepEqual(await textsOf(judge), ["a=2"]);
  t.is(await judge.ctl("user", "list"), "alice\n");
  t.is(await judge.ctl("user", "get", "alice"), await etcd.ctl("user", "get", "alice"));
  t.is(await judge.ctl("role", "get", "reader"), await etcd.ctl("role", "get", "reader"));
});

test("leases run out after a restore, of a known TTL or not", async (t) => {
  const [etcd, judge] = [await startEtcd(t), await startEtcd(t)];
  const recorded = record(t, etcd, "leases");
  await etcd.ctl("put", "stays", "1");
  await recorded.base();
  const known = await etcd.grant(LEASE_TTL);
  recorded.history.granted.set(BigInt(`0x${known}`), LEASE_TTL);
  await etcd.ctl("put", "known", "1", `--lease=${known}`);
  const unknown = await etcd.grant(3600);
  await etcd.ctl("put", "unknown", "1", `--lease=${unknown}`);
  const { client } = etcd;
  const [{ mod_revision: last } = { mod_revision: "0" }] = (
    await client.kv.range({ key: Buffer.from("unknown") })
  ).kvs;
  await recorded.flush({ compactRevision: 0 });
  const revision = Number(last);
  await startAt(recorded, judge, { kind: "revision", revision });
  t.deepEqual(await textsOf(judge, revision), ["known=1", "stays=1", "unknown=1"]);
  while ((await judge.pairs()).length > 1) await sleep(200);
  t.deepEqual(await textsOf(judge), ["stays=1"]);
  t.deepEqual(await judge.leases(), []);
});

test("an etcd restored to the past, with the same cluster id, has two lines of history", async (t) => {
  const [etcd, judge] = [await startEtcd(t), await startEtcd(t)];
  const older = record(t, etcd, "before the restore");
  await etcd.ctl("put", "a", "0");
  await older.base();
  const saved = join(newFolder(), "saved.db");
  for (let i = 1; i <= 6; i++) {
    await etcd.ctl("put", "a", `${i}`);
    if (i % 2 === 0) await older.flush({ compactRevision: 0 });
    if (i === 3) await etcd.ctl("snapshot", "save", saved);
  }
  await etcd.restoreFrom(saved);
  // Names have seconds.
  await sleep(1100);
  const newer = record(t, etcd, "after the restore", older.folder);
  await newer.flush({ compactRevision: 0 });
  await newer.base();
  for (let i = 1; i <= 4; i++) {
    await etcd.ctl("put", "b", `${i}`);
    if (i % 2 === 0) await newer.flush({ compactRevision: 0 });
  }
  const restored = async (target: HistoryTarget) => {
    await startAt(newer, judge, target);
    return await textsOf(judge);
  };
  t.deepEqual(await restored({ kind: "newest" }), ["a=3", "b=4"]);
  t.deepEqual(await restored({ kind: "revision", revision: 7 }), ["a=3", "b=2"]);
  t.deepEqual(await restored({ kind: "revision", revision: 4 }), ["a=2"]);
  t.deepEqual(await restored({ kind: "time", timeMs: older.seenMs.get(7) ?? 0 }), ["a=5"]);
  t.deepEqual(await restored({ kind: "time", timeMs: newer.seenMs.get(7) ?? 0 }), ["a=3", "b=2"]);
});

test("where the raw snapshot is beside pools, compact makes the base of a stream of it", async (t) => {
  const [etcd, judge] = [await startEtcd(t), await startEtcd(t)];
  const pools = await makePools(1);
  t.teardown(() => dropPools(pools));
  await writeObjects(pools[0] ?? "", [{ name: "object", size: 1000 }]);
  const recorded = record(t, etcd, "a base with pools");
  await etcd.ctl("put", "a", "1");
  const full = await recorded.base("raw", pools);
  await etcd.ctl("put", "a", "2");
  await recorded.flush({ compactRevision: 0 });
  const revision = await etcd.revision();
  const { location, context, folder, events } = recorded;
  const options = compactOptions(location, LEASE_TTL);
  const result = await compactHistory(options, context);
  t.deepEqual(result, { complete: true });
  const made = events.find((event) => event.type === "history-compacted");
  if (made?.type !== "history-compacted") return t.fail();
  t.is(made.revision, revision);
  t.regex(made.snapshot, /^Etcd-/);
  t.deepEqual(readdirSync(options.spoolDir), []);
  // The newest full backup still has the pools.
  t.deepEqual(
    readdirSync(folder).filter((name) => name.startsWith("Full-")),
    [full],
  );
  for (const delta of recorded.deltas) rmSync(join(folder, delta));
  await startAt(recorded, judge, { kind: "revision", revision });
  t.deepEqual(await textsOf(judge), ["a=2"]);
});
