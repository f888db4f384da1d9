import { setTimeout as sleep } from "node:timers/promises";
import test from "ava";
import { EtcdCluster } from "../../../src/sources/etcd/cluster.js";
import type { EtcdRecord, LeasePolicy } from "../../../src/sources/etcd/types.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";

let etcd: EtcdServer;
let cluster: EtcdCluster;
const { signal } = new AbortController();

test.before(async () => {
  etcd = await EtcdServer.start();
  cluster = await EtcdCluster.connect({ endpoints: [etcd.endpoint] });
});
test.beforeEach(async () => {
  await cluster.deleteAll(signal);
  const { leases } = await etcd.client.leaseClient.leaseLeases();
  for (const { ID } of leases) await etcd.client.leaseClient.leaseRevoke({ ID });
});
test.after.always(async () => {
  cluster?.close();
  await etcd?.stop();
});

function record(key: string, lease: bigint): EtcdRecord {
  const [k, value] = [Buffer.from(key), Buffer.from(`value of ${key}`)];
  return { key: k, value, createRevision: 1, modRevision: 1, version: 1, lease };
}

async function* batches(...all: EtcdRecord[][]): AsyncGenerator<EtcdRecord[]> {
  yield* all;
}

function put(all: AsyncIterable<EtcdRecord[]>, leases: Map<bigint, number>, policy: LeasePolicy) {
  return cluster.putRecords(all, { leases, policy, signal });
}

async function keys(): Promise<string[]> {
  return (await etcd.pairs()).map(([key]) => Buffer.from(key, "base64").toString());
}

test.serial("a lease is read with its granted TTL, and an expired one is not read", async (t) => {
  const [lives, goes] = [await etcd.grant(77), await etcd.grant(88)];
  await etcd.ctl("put", "lives", "x", `--lease=${lives}`);
  await etcd.ctl("put", "goes", "x", `--lease=${goes}`);
  const revision = await cluster.currentRevision();
  await etcd.ctl("lease", "revoke", goes);
  const records: EtcdRecord[] = [];
  for await (const page of cluster.readRecords({ revision, signal })) records.push(...page);
  const ids = records.map(({ lease }) => lease);
  t.deepEqual(ids, [BigInt(`0x${goes}`), BigInt(`0x${lives}`)]);
  t.deepEqual(await cluster.readLeases(new Set(ids), signal), [
    { id: BigInt(`0x${lives}`), grantedTtl: 77 },
  ]);
});

test.serial("the keys of one lease share a new lease of the same TTL", async (t) => {
  const leases = new Map([
    [5n, 100],
    [2n ** 62n, 200],
  ]);
  const result = await put(
    batches([record("a", 5n), record("b", 2n ** 62n)], [record("c", 5n), record("d", 0n)]),
    leases,
    "regrant",
  );
  t.deepEqual(result, { records: 4, expired: 0 });
  t.deepEqual(await etcd.leases(), [
    { ttl: 100, keys: ["a", "c"] },
    { ttl: 200, keys: ["b"] },
  ]);
  t.deepEqual(await keys(), ["a", "b", "c", "d"]);
});

test.serial("a key whose lease had expired at the backup is left out", async (t) => {
  const result = await put(batches([record("a", 5n), record("b", 0n)]), new Map(), "regrant");
  t.deepEqual(result, { records: 1, expired: 1 });
  t.deepEqual(await keys(), ["b"]);
});

test.serial("drop leaves out every key that had a lease", async (t) => {
  const leases = new Map([[5n, 100]]);
  const result = await put(batches([record("a", 5n), record("b", 0n)]), leases, "drop");
  t.deepEqual(result, { records: 1, expired: 1 });
  t.deepEqual(await keys(), ["b"]);
  t.deepEqual(await etcd.leases(), []);
});

test.serial("keep-forever keeps every key, without its lease", async (t) => {
  const leases = new Map([[5n, 100]]);
  const records = batches([record("a", 5n), record("gone", 6n)]);
  t.deepEqual(await put(records, leases, "keep-forever"), { records: 2, expired: 0 });
  t.deepEqual(await keys(), ["a", "gone"]);
  t.deepEqual(await etcd.leases(), []);
});

test.serial("a lease that expires while records are put is granted again", async (t) => {
  async function* slowly(): AsyncGenerator<EtcdRecord[]> {
    // Enough records to fill a transaction, so that the first is sent at once.
    yield Array.from({ length: 200 }, (_, i) => record(`early${i}`, 7n));
    for (let i = 0; i < 300; i++) {
      await sleep(100);
      if (i > 5 && (await etcd.leases()).length === 0) break;
    }
    yield [record("late", 7n)];
  }
  const { records } = await put(slowly(), new Map([[7n, 4]]), "regrant");
  t.is(records, 201);
  const [lease] = await etcd.leases();
  t.is(lease?.ttl, 4);
  t.true(lease?.keys.includes("late"));
});
